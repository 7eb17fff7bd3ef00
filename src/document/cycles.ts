// Cycles of membership among the users and roles of a document: one that would, over others, be a member of itself.
import { LIMITS } from '../model/limits.ts';
import type { MemberDraft } from './draft.ts';

/** What an entry of `users` and one of `roles` have in common. */
export type Member = Pick<MemberDraft, 'names' | 'roles'>;

/** One entry on a cycle: the role that leads on, and the names along the way back to the user. */
export interface CycleEntry<T extends Member> {
  readonly draft: T;
  readonly role: Member['roles'][number];
  readonly cycle: readonly string[];
}

/** A way longer than this is not searched for or shown in full; it bounds the cost of a document that is one huge cycle. */
const LONGEST = 12;
const GAP = '…';

type Graph<T extends Member> = ReadonlyMap<string, ReadonlyMap<string, { readonly draft: T; readonly role: Member['roles'][number] }>>;

/** Every entry that lies on a cycle, each with the shortest way round it. */
export function membershipCycles<T extends Member>(drafts: readonly T[]): readonly CycleEntry<T>[] {
  const graph = graphOf(drafts);
  let searches = 0;
  return components(graph).flatMap((members) =>
    [...members].flatMap((name) => {
      searches += 1;
      const [first, ...rest] = searches > LIMITS.cyclesShown ? anyWay(name, graph, members) : shortestCycle(name, graph, members);
      const edges = graph.get(name);
      if (first === undefined || edges === undefined) return [];
      const next = edges.get(first);
      return next === undefined ? [] : [{ ...next, cycle: [name, first, ...rest] }];
    }),
  );
}

/** Whether there is any, in linear time. */
export const hasCycle = (drafts: readonly Member[]): boolean => components(graphOf(drafts)).length > 0;

/** User → the users that it is a member of. Only those that lead somewhere are in it. */
function graphOf<T extends Member>(drafts: readonly T[]): Graph<T> {
  const users = new Set(drafts.flatMap((draft) => draft.names));
  const graph = new Map<string, Map<string, { draft: T; role: Member['roles'][number] }>>();
  for (const draft of drafts)
    for (const role of draft.roles) {
      if (!users.has(role.name)) continue;
      for (const name of draft.names) {
        const edges = graph.get(name) ?? new Map<string, { draft: T; role: Member['roles'][number] }>();
        if (!edges.has(role.name)) edges.set(role.name, { draft, role });
        graph.set(name, edges);
      }
    }
  return graph;
}

/** The sets of users that are members of each other (Tarjan's algorithm, without recursion: a chain can be as long as the document). */
function components(graph: Graph<Member>): readonly ReadonlySet<string>[] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const opened: string[] = [];
  const open = new Set<string>();
  const found: ReadonlySet<string>[] = [];
  const lower = (name: string, value: number): void => void low.set(name, Math.min(low.get(name) ?? value, value));
  const enter = (name: string): { readonly name: string; readonly edges: Iterator<string> } => {
    order.set(name, order.size);
    lower(name, order.size - 1);
    open.add(name);
    opened.push(name);
    return { name, edges: (graph.get(name) ?? new Map<string, never>()).keys() };
  };
  for (const start of graph.keys()) {
    if (order.has(start)) continue;
    const stack = [enter(start)];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { value: next, done } = top.edges.next();
      if (done !== true) {
        if (!order.has(next)) stack.push(enter(next));
        else if (open.has(next)) lower(top.name, order.get(next) ?? 0);
        continue;
      }
      stack.pop();
      const parent = stack.at(-1);
      if (parent !== undefined) lower(parent.name, low.get(top.name) ?? 0);
      if (low.get(top.name) !== order.get(top.name)) continue;
      const members = close(opened, open, top.name);
      if (members.size > 1 || graph.get(top.name)?.has(top.name) === true) found.push(members);
    }
  }
  return found;
}

/** Closes and returns what was opened from `root` on. */
function close(opened: string[], open: Set<string>, root: string): ReadonlySet<string> {
  const members = new Set(opened.splice(opened.lastIndexOf(root)));
  for (const name of members) open.delete(name);
  return members;
}

/** The names after `start` on the shortest way back to it; a gap stands for what is too long to show. */
function shortestCycle(start: string, graph: Graph<Member>, members: ReadonlySet<string>): readonly string[] {
  let ways: readonly (readonly string[])[] = [[]];
  const seen = new Set<string>();
  for (let length = 1; length <= LONGEST; length += 1) {
    const longer: (readonly string[])[] = [];
    for (const way of ways)
      for (const next of graph.get(way.at(-1) ?? start)?.keys() ?? []) {
        if (next === start) return [...way, start];
        if (!members.has(next) || seen.has(next) || longer.length >= 1000) continue;
        seen.add(next);
        longer.push([...way, next]);
      }
    ways = longer;
  }
  return anyWay(start, graph, members);
}

/** The first step of some way back, and a gap for the others. */
function anyWay(start: string, graph: Graph<Member>, members: ReadonlySet<string>): readonly string[] {
  for (const name of graph.get(start)?.keys() ?? []) if (members.has(name)) return [name, GAP, start];
  return [start, GAP, start];
}
