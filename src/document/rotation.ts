// An entry's `rotation`: when a generated password is replaced, and whether by another one or by another user.
import { durationMs } from '../model/duration.ts';
import { turnNames } from '../model/turns.ts';
import { type Draft, fileOfOther, type RoleDraft } from './draft.ts';
import { mismatch } from './issues.ts';
import { unknownKeys } from './keys.ts';
import { nameProblem } from './names.ts';
import type { ComplainAt } from './problem-report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type Node, stringOf, valueOf } from './tree.ts';
import { type Position, type Rotation, STRATEGIES, type UserEntry } from '../model/entries.ts';

/** Every key of the mapping. */
export const ROTATION_KEYS = ['every', 'strategy', 'overlap'] as const;
/** How long programs have to take up the new user, where the entry does not say it: what they mount follows within minutes. */
const DEFAULT_OVERLAP_MS = 3_600_000;

/** Reads the mapping. */
export function readRotation(node: Node, complain: ComplainAt, positionOf: (offset: number) => Position): Rotation | undefined {
  if (node.kind !== 'mapping') {
    complain(node.offset, [], `${mismatch('a mapping', node)}; write for example \`{every: 30d}\``);
    return undefined;
  }
  for (const { offset, path, message } of unknownKeys(node, [], ROTATION_KEYS)) complain(offset, path, message);
  const strategy = readStrategy(valueOf(node, 'strategy'), complain);
  const duration = (key: 'every' | 'overlap'): number | undefined => readDuration(valueOf(node, key), key, complain);
  const [every, overlap] = [duration('every'), duration('overlap')];
  const overlapNode = valueOf(node, 'overlap');
  if (strategy === 'in-place' && overlapNode !== undefined)
    complain(overlapNode.offset, ['overlap'], 'is for `strategy: two-users`: a role has one password, so in place the old one ends at once');
  const rotation = { every, strategy: strategy ?? 'in-place', overlap: overlap ?? DEFAULT_OVERLAP_MS, position: positionOf(node.offset) };
  if (every !== undefined && rotation.strategy === 'two-users' && every <= rotation.overlap)
    complain(
      valueOf(node, 'every')?.offset ?? node.offset,
      ['every'],
      'must be longer than `overlap` (1h, where it is not said): each of the two users rests in between',
    );
  return rotation;
}

function readDuration(node: Node | undefined, key: string, complain: ComplainAt): number | undefined {
  if (node === undefined) return undefined;
  const text = stringOf(node);
  const duration = text === undefined ? undefined : durationMs(text);
  if (duration === undefined)
    complain(
      node.offset,
      [key],
      `${text === undefined ? mismatch('a duration', node) : `${show(text)} is no duration`}; write it as \`30d\`, \`12h\`, \`5m\` or \`30s\``,
    );
  return duration;
}

function readStrategy(node: Node | undefined, complain: ComplainAt): Rotation['strategy'] | undefined {
  if (node === undefined) return 'in-place';
  const word = stringOf(node);
  const known = STRATEGIES.find((strategy) => strategy === word);
  if (known !== undefined) return known;
  const near = word === undefined ? undefined : suggest(word, STRATEGIES);
  complain(node.offset, ['strategy'], `must be \`in-place\` or \`two-users\`${near === undefined ? '' : `; did you mean ${show(near)}?`}`);
  return undefined;
}

/** What a rotation needs of the rest of its entry; undefined where it has it. */
export function rotationProblem({
  username,
  rotation,
  password,
  connectionSecret,
}: Pick<UserEntry, 'username' | 'rotation' | 'password' | 'connectionSecret'>): string | undefined {
  if (rotation === undefined) return undefined;
  if (password?.kind !== 'generate') return 'needs `password: {generate: {}}`: a password that somebody else made is theirs to change';
  if (rotation.strategy === 'in-place') return undefined;
  if (connectionSecret === undefined) return 'with `strategy: two-users` needs a `connectionSecret`, which tells programs as whom to log in';
  const problem = turnNames(username)
    .map((name) => nameProblem(name, 'user'))
    .find((one) => one !== undefined);
  return problem === undefined ? undefined : `with \`strategy: two-users\` makes users that cannot be called so: ${problem}`;
}

/** Reports users for whom two others would be made whose names are taken. @returns the drafts that are invalid because of it. */
export function checkTurnNames(users: readonly Draft[], roles: readonly RoleDraft[]): readonly Draft[] {
  const rotating = users.flatMap((draft) =>
    draft.entry?.rotation?.strategy === 'two-users' ? [{ draft, entry: draft.entry, rotation: draft.entry.rotation }] : [],
  );
  if (rotating.length === 0) return [];
  const declared = new Map([...users, ...roles].flatMap((other) => other.names.map((name) => [name, other] as const)));
  return rotating.flatMap(({ draft, entry, rotation }) => {
    const taken = turnNames(entry.username).find((name) => declared.has(name));
    const other = taken === undefined ? undefined : declared.get(taken);
    if (taken === undefined || other === undefined) return [];
    const file = fileOfOther(other, draft);
    draft.report.addAt(rotation.position, {
      path: [...draft.path, 'rotation'],
      message: `makes a user ${show(taken)}, and ${file === undefined ? 'the document' : show(file)} has an entry of that name; rename one of them`,
      username: entry.username,
    });
    return [draft];
  });
}
