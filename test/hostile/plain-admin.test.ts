// Hostile histories against a plain admin.
import { hostileHistories } from './history.ts';

hostileHistories('plain admin');
