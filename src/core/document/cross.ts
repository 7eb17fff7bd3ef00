// Checks across entries: users named twice, Secrets that two users would share, and circles of membership.
import type { Position, Problem, UserEntry } from './types.ts';

/** The problems that only show when entries are seen together; each names the user whose entry is kept out. */
export function crossProblems(users: readonly UserEntry[], named: ReadonlyMap<string, readonly Position[]>, file: string): Problem[] {
  const error = (username: string, position: Position, message: string): Problem => ({
    severity: 'error',
    file,
    position,
    path: `users (${username})`,
    message,
    username,
  });
  const duplicates = [...named]
    .filter(([, positions]) => positions.length > 1)
    .flatMap(([name, positions]) => positions.map((position) => error(name, position, `the user ${name} is there ${positions.length} times; keep one entry`)));
  return [...duplicates, ...sharedSecrets(users, error), ...cycles(users, error)];
}

type MakeError = (username: string, position: Position, message: string) => Problem;

/** Names that differ only in characters which a Secret cannot have lead to the same Secret. */
function sharedSecrets(users: readonly UserEntry[], error: MakeError): Problem[] {
  const derived = new Map<string, UserEntry[]>();
  for (const user of users) {
    if (!user.login || user.secret.key !== 'password' || !user.secret.name.startsWith('user-')) continue;
    derived.set(user.secret.name, [...(derived.get(user.secret.name) ?? []), user]);
  }
  return [...derived].flatMap(([secret, sharing]) => {
    const byRule = sharing.filter((user) => user.secretIsDerived);
    if (new Set(byRule.map((user) => user.username)).size < 2) return [];
    return byRule.map((user) =>
      error(
        user.username,
        user.position,
        `${byRule.map((other) => other.username).join(' and ')} have the same Secret ${secret}; give one of them a passwordSecretRef`,
      ),
    );
  });
}

/** Walks the memberships among the document's users once; every user on a circle is refused with the whole path. */
function cycles(users: readonly UserEntry[], error: MakeError): Problem[] {
  const byName = new Map(users.map((user) => [user.username, user]));
  const done = new Set<string>();
  const problems: Problem[] = [];
  for (const start of users) {
    if (done.has(start.username) || !start.roles.some((role) => byName.has(role.name))) continue;
    const path: string[] = [];
    const stack: { readonly name: string; next: number }[] = [{ name: start.username, next: 0 }];
    path.push(start.username);
    while (stack.length > 0) {
      const top = stack.at(-1);
      if (top === undefined) break;
      const target = byName.get(top.name)?.roles[top.next];
      top.next += 1;
      if (target === undefined) {
        done.add(top.name);
        stack.pop();
        path.pop();
      } else if (path.includes(target.name)) {
        const circle = path.slice(path.indexOf(target.name));
        for (const name of circle) {
          const user = byName.get(name);
          if (user !== undefined) problems.push(error(name, user.position, `a circle of memberships: ${[...circle, target.name].join(' → ')}`));
        }
      } else if (byName.has(target.name) && !done.has(target.name)) {
        stack.push({ name: target.name, next: 0 });
        path.push(target.name);
      }
    }
  }
  return problems;
}
