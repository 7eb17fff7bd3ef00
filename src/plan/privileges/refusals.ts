// What the law takes out of the rules of one database, or of what all share.
import type { Catalog } from '../../model/catalog.ts';
import { targetWords } from '../../changes/change.ts';
import type { Law } from '../law/law.ts';
import type { Notice } from '../../changes/notice.ts';
import { type ObjectGroup, ownName, PUBLIC } from '../../model/contents.ts';
import type { ObjectDiffInput } from './diff-objects.ts';
import type { Subject } from './subject.ts';

/** Privileges with which code is left behind that others run. */
export const MAKES_CODE: ReadonlySet<string> = new Set(['CREATE', 'TRIGGER']);

/** What a superuser's extension does not give everybody may lead out of the database (pg_read_file and its like). */
const keptByExtension = (group: ObjectGroup, privilege: string, catalog: Catalog): boolean =>
  group.extension &&
  catalog.cluster.roles.get(group.owner)?.superuser === true &&
  !group.entries.some((entry) => entry.grantee === PUBLIC && entry.privilege === privilege);

/** What the law takes out of the rules, and the notices that say so. */
export function refusals(law: Law, catalog: Catalog, database: string): { readonly refused: ObjectDiffInput['refused']; readonly notices: Notice[] } {
  const notices: Notice[] = [];
  const refuse = (subject: Subject, what: string, why: string): void => {
    notices.push({ kind: 'refused', subject: subject.name, position: subject.position, message: `${what} is refused: ${why}` });
  };
  const isTemplate = catalog.databases.get(database)?.isTemplate === true;
  const reasonToRefuse = (group: ObjectGroup, name: string, privilege: string): string | undefined => {
    if (group.kind === 'parameter') return law.refuseParameter(name, privilege);
    if ((isTemplate || (group.kind === 'database' && catalog.databases.get(name)?.isTemplate === true)) && MAKES_CODE.has(privilege))
      return 'what is made in a template is in every new database, and runs there as whoever works with it';
    return keptByExtension(group, privilege, catalog) ? 'the extension keeps it from PUBLIC' : undefined;
  };
  return {
    notices,
    refused: (group, name, subject, wish) => {
      const refused = new Set<string>();
      for (const privilege of wish.keys()) {
        const why = reasonToRefuse(group, ownName(name), privilege);
        if (why === undefined) continue;
        refused.add(privilege);
        // What a pattern matches in passing is left out without a word.
        if (subject.rules.scope(group.kind, database, group.schema).findExact(name) === undefined) continue;
        refuse(subject, `${privilege} on ${targetWords({ database, object: group.kind, schema: group.schema, names: [name] })}`, why);
      }
      return refused;
    },
  };
}
