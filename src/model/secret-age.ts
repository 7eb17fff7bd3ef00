// When a password in a Secret was made, and whether somebody asks for another one.
import type { PresentSecret } from './connection-content.ts';
import { GENERATED_AT, ROTATE_AT, ROTATED_FOR } from './secret-annotations.ts';

/** A Secret whose age may be asked for. */
export interface DatedSecret extends Pick<PresentSecret, 'annotations'> {
  /** When the object was made, in ISO 8601. */
  readonly createdAt?: string | undefined;
}

/** In milliseconds since the epoch: when we made the password, else when the Secret was made; undefined where neither is known. */
const madeAt = ({ annotations, createdAt }: DatedSecret): number | undefined =>
  [annotations[GENERATED_AT], createdAt].map((time) => (typeof time === 'string' ? Date.parse(time) : Number.NaN)).find((time) => !Number.isNaN(time));

/** When a password is old enough, in milliseconds since the epoch; undefined where its age is not known. */
export function rotationDue(secret: DatedSecret, every: number): number | undefined {
  const since = madeAt(secret);
  return since === undefined ? undefined : since + every;
}

/** What somebody asks for that was not answered yet. */
export function askedFor({ annotations }: Pick<PresentSecret, 'annotations'>): string | undefined {
  const asked = annotations[ROTATE_AT];
  return typeof asked === 'string' && asked !== '' && asked !== annotations[ROTATED_FOR] ? asked : undefined;
}
