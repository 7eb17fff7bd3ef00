// Hostile histories against a superuser.
import { hostileHistories } from './history.ts';

hostileHistories('superuser');
