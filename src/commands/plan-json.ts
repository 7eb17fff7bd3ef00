// A plan as JSON, whose form docs/verbs.md describes.
import { harmless } from './harmless.ts';
import type { PlanView } from './plan-view.ts';

/** One object. What a terminal would take for a command is spelled out, which reads the same. */
export const asJson = (view: PlanView): string => `${harmless(JSON.stringify(view, undefined, 2))}\n`;
