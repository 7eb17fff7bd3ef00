// A list of privileges: `[SELECT, {privilege: UPDATE, grantable: true}]`, held against what a kind of object knows.
import { KINDS, kindWords, type ObjectKind, privilegeName } from '../model/kinds.ts';
import { mismatch } from './issues.ts';
import type { ComplainAt } from './problem-report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type Node, type Path, stringOf, valueOf } from './tree.ts';
import type { WishedPrivilege } from '../model/entries.ts';

/** The privileges of one list, each once, in the order of the kind; what is wrong goes to `complain`. */
export function readPrivileges(node: Node, path: Path, kind: ObjectKind, complain: ComplainAt): readonly WishedPrivilege[] {
  const items = node.kind === 'scalar' && typeof node.value === 'string' ? [node] : node.kind === 'list' ? node.items : undefined;
  if (items === undefined) {
    const hint = node.kind === 'scalar' && node.value === null ? '; write `[]` if nothing is to be granted' : '';
    complain(node.offset, path, `${mismatch('a list of privileges', node)}${hint}`);
    return [];
  }
  const found = new Map<string, boolean>();
  for (const [index, item] of items.entries()) {
    const at = node.kind === 'list' ? [...path, index] : path;
    const read = readPrivilege(item, at, kind, complain);
    if (read === undefined) continue;
    const before = found.get(read.privilege);
    if (before !== undefined && before !== read.grantable)
      complain(item.offset, at, `the privilege ${show(read.privilege)} is named twice, with and without \`grantable\`; keep one`);
    found.set(read.privilege, read.grantable);
  }
  return [...found].map(([privilege, grantable]) => ({ privilege, grantable }));
}

function readPrivilege(item: Node, path: Path, kind: ObjectKind, complain: ComplainAt): WishedPrivilege | undefined {
  const written = item.kind === 'mapping' ? stringOf(valueOf(item, 'privilege')) : stringOf(item);
  if (written === undefined) {
    complain(item.offset, path, mismatch('a privilege, or a mapping with `privilege` and `grantable`', item));
    return undefined;
  }
  const grantable = item.kind === 'mapping' ? valueOf(item, 'grantable') : undefined;
  if (grantable !== undefined && !(grantable.kind === 'scalar' && typeof grantable.value === 'boolean'))
    complain(grantable.offset, [...path, 'grantable'], mismatch('`true` or `false`', grantable));
  if (item.kind === 'mapping')
    for (const { key, keyOffset } of item.pairs)
      if (key !== 'privilege' && key !== 'grantable')
        complain(keyOffset, [...path, key], `unknown key ${show(key)}; a privilege has the keys \`privilege\` and \`grantable\``);
  const privilege = privilegeName(written);
  const known = [...Object.keys(KINDS[kind].privileges), 'ALL'];
  if (!known.includes(privilege)) {
    const near = suggest(written, known);
    const hint = near === undefined ? `; it has ${known.slice(0, -1).join(', ')}` : `; did you mean \`${near}\`?`;
    complain(item.offset, path, `${show(written)} is no privilege of a ${kindWords(kind)}${hint}`);
    return undefined;
  }
  return { privilege, grantable: grantable?.kind === 'scalar' && grantable.value === true };
}
