// Missed drift in many databases: the whole count, in a suite of its own.
import { findsEveryChange } from './missed-drift.ts';

findsEveryChange(40, Number(process.env['CHANGES'] ?? 1000));
