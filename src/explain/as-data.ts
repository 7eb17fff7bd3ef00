// Answers about access as data, whose form docs/reference.md describes. A new field may come; a change of what is there is a new version.
import type { Explanation } from './explain.ts';
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
  remarks: explanation.remarks,
});
