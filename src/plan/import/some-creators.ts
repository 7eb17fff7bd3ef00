// Why default privileges cannot be said: a document's `'*'` is for everybody who makes objects in a schema, and has no way to name some of them.
import type { Change } from '../../changes/change.ts';
import { kindWords } from '../../model/kinds.ts';
import { saidAs } from '../../explain/said-name.ts';
import { makersIn } from './everything.ts';
import { contentsOf, type WholeServer } from './whole-server.ts';

type OnDefaults = Extract<Change, { readonly kind: 'revoke_default_privilege' }>;

/** So many others are named. */
const NAMED = 3;

/** Why a plan for an import would take default privileges of a role, in words; undefined where it is for another reason. */
export function whySomeCreators(whole: WholeServer): (change: OnDefaults) => string | undefined {
  const contents = new Map(contentsOf(whole).map((one) => [one.name, one]));
  return ({ database, creator, schema, object, role }) => {
    const found = contents.get(database);
    if (found === undefined) return undefined;
    const makers = makersIn(found, whole.catalog, schema);
    const where = `${schema === '' ? '' : `schema ${saidAs(schema)} of `}database ${saidAs(database)}`;
    const given = `default privileges of ${saidAs(creator)} give it something on ${kindWords(object)}s to come in ${where}`;
    if (!makers.has(creator))
      return `${given}, and ${saidAs(creator)} owns nothing there and holds no CREATE: as long as the database's createdBy does not name it, '*' in a document is not for what it makes`;
    const gives = (maker: string): string =>
      found.defaults
        .filter((row) => row.creator === maker && row.schema === schema && row.kind === object)
        .flatMap(({ entries }) => entries.filter(({ grantee }) => grantee === role).map(({ privilege, grantable }) => `${privilege}${grantable ? '*' : ''}`))
        .toSorted((a, b) => (a < b ? -1 : 1))
        .join(' ');
    const others = [...makers].filter((maker) => maker !== role && gives(maker) !== gives(creator)).toSorted();
    if (others.length === 0) return undefined;
    const named = `${others.slice(0, NAMED).map(saidAs).join(', ')}${others.length > NAMED ? ` and ${others.length - NAMED} more` : ''}`;
    return `${given}, and those of ${named}, who may make such there as well, not the same: '*' in a document is for all who make objects, and there is no way to say it of some alone; give it by all of them or by none, and import again`;
  };
}
