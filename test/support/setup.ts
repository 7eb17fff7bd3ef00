// What every file of tests ends with: a worker that is ended by a signal runs nothing at its exit.
import { afterAll } from 'vitest';
import { removeScratch } from './scratch.ts';

afterAll(removeScratch);
