// Checks across entries: names and Secrets that two of them claim.
import { membershipCycles } from './cycles.ts';
import type { Draft } from './entry.ts';
import type { Report } from './report.ts';
import { show } from './show.ts';

/** How many others a message names. */
const NAMED = 5;

/** Reports what only shows when entries are seen together. @returns the drafts that are invalid because of it. */
export function checkAcross(drafts: readonly Draft[], report: Report): ReadonlySet<Draft> {
  return new Set([...checkNames(drafts, report), ...checkSecrets(drafts, report), ...checkCycles(drafts, report)]);
}

function checkNames(drafts: readonly Draft[], report: Report): readonly Draft[] {
  const groups = [...grouped(drafts, (draft) => draft.names)].filter(([, group]) => group.length > 1);
  for (const [username, group] of groups)
    for (const draft of group) {
      const message = `the user ${show(username)} stands here and in ${others(group, draft, pathOf)}; keep one entry`;
      report.add({ offset: draft.nameOffset, path: [...draft.path, 'username'], message, username });
    }
  return groups.flatMap(([, group]) => group);
}

const pathOf = (draft: Draft): string => `\`users[${draft.path[1] ?? ''}]\``;

function checkSecrets(drafts: readonly Draft[], report: Report): readonly Draft[] {
  const groups = grouped(drafts, (draft) => draft.derivedSecret ?? []);
  const refused: Draft[] = [];
  for (const [secret, group] of groups) {
    const users = [...new Map(group.map((draft) => [nameOf(draft), draft])).values()];
    if (users.length < 2) continue;
    refused.push(...group);
    for (const draft of group) {
      const message = `the Secret ${show(secret)} would also be that of ${others(users, draft, (other) => show(nameOf(other)))}; give one of them a \`passwordSecretRef\``;
      report.add({ offset: draft.nameOffset, path: [...draft.path, 'username'], message, username: nameOf(draft) });
    }
  }
  return refused;
}

const nameOf = (draft: Draft): string => draft.names[0] ?? '';

function checkCycles(drafts: readonly Draft[], report: Report): readonly Draft[] {
  const found = membershipCycles(drafts);
  for (const { draft, role, cycle } of found) {
    const message = `a cycle of memberships, which the server refuses: ${cycle.map(show).join(' → ')}; remove one of them`;
    report.add({ offset: role.offset, path: role.path, message, username: nameOf(draft) });
  }
  return found.map(({ draft }) => draft);
}

function grouped(drafts: readonly Draft[], keysOf: (draft: Draft) => string | readonly string[]): ReadonlyMap<string, readonly Draft[]> {
  const groups = new Map<string, Draft[]>();
  for (const draft of drafts)
    for (const key of [keysOf(draft)].flat()) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [draft]);
      else group.push(draft);
    }
  return groups;
}

/** Some of the others in a group, in words; the cost does not grow with the group. */
function others(group: readonly Draft[], draft: Draft, say: (other: Draft) => string): string {
  const said = say(draft);
  const some = group
    .slice(0, NAMED + 1)
    .map(say)
    .filter((other) => other !== said)
    .slice(0, NAMED);
  const rest = group.length - 1 - some.length;
  return rest > 0 ? `${some.join(', ')} and ${rest} more` : some.join(' and ');
}
