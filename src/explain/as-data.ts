// Answers about access as data, whose form docs/who-may-what.md describes. A new field may come; a change of what is there is a new version.
import type { SecondWay } from './definers.ts';
import type { Explanation } from './explain.ts';
import type { MightIn, WhoTold } from './say-who.ts';
import type { Person } from './who-can.ts';
import type { Path } from './paths.ts';
import type { Securable } from './securable.ts';

const pathData = ({ holder, chain, setRole }: Path): object => ({
  by: holder.by,
  holder: holder.role,
  chain,
  ...(setRole === undefined ? {} : { setRole }),
  ...(holder.by === 'grant'
    ? {
        grantor: holder.builtIn ? null : holder.grantor,
        grantable: holder.grantable,
        owner: holder.owner,
        builtIn: holder.builtIn,
        ...(holder.column === undefined ? {} : { column: holder.column }),
      }
    : {}),
});

const objectData = ({ kind, name, owner }: Securable, database: string): object => ({ kind, database, name, owner });

/** One answer of explain. */
export const explanationData = (explanation: Explanation): object => ({
  version: 1,
  answer: explanation.answer,
  role: explanation.role,
  privilege: explanation.privilege,
  object: objectData(explanation.object, explanation.database),
  paths: explanation.paths.map(pathData),
  afterSetRole: explanation.afterSetRole.map((path) => ({ ...pathData(path), needs: path.needs })),
  onColumns: explanation.onColumns.map(pathData),
  more: explanation.more,
  usable: explanation.answer === 'yes' && !explanation.needs.some(({ state }) => state === 'unmet'),
  needs: explanation.needs,
  missing: explanation.missing,
  otherWays: explanation.otherWays.map(wayData),
  remarks: explanation.remarks,
});

const personData = ({ role, login, path, lacks }: Person): object => ({ role, login, path: pathData(path), lacks });

const wayData = ({ through, privilege, sure, said }: SecondWay): object => ({
  through: { kind: through.kind, name: through.name, owner: through.owner },
  privilege,
  sure,
  said,
});

/** One answer of who-can. */
export const whoCanData = ({ privilege, object, database, who, ways, more, remarks, change }: WhoTold): object => ({
  version: 1,
  privilege,
  object: objectData(object, database),
  everybody: who.everybody,
  roles: who.people.map((person) => ({ ...personData(person), ...(change === undefined ? {} : { new: change.fresh.has(person.role) }) })),
  afterSetRole: who.afterSetRole.map((person) => ({ ...personData(person), ...(change === undefined ? {} : { new: change.fresh.has(person.role) }) })),
  ...(change === undefined ? {} : { lost: change.lost.map(personData) }),
  through: ways.map(({ way, everybody, people }) => ({ ...wayData(way), everybody, roles: people.map(({ role }) => role) })),
  more,
  remarks,
});

/** One answer of what-can. */
export const whatCanData = (role: string, places: readonly MightIn[], guises: readonly string[], isSuperuser: boolean): object => ({
  version: 1,
  role,
  superuser: isSuperuser,
  setRole: guises,
  places: places.map(({ database, lines, unread }) => ({
    database: database ?? null,
    unread: unread ?? null,
    may: lines.map(({ kind, schema, privileges, path, names, all }) => ({ kind, schema, privileges, names, all, path: pathData(path) })),
  })),
});
