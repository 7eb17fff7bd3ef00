// Missed drift in a few databases, on each major; many of them are in test/drift.
import { findsEveryChange } from '../drift/missed-drift.ts';

findsEveryChange(6, 24);
