// Parameters whose value is a list of names: ALTER ROLE … SET must get each element on its own, or the whole list becomes one quoted name.

/** The server's GUC_LIST_QUOTE parameters that a role may carry. */
const LIST_PARAMETERS: ReadonlySet<string> = new Set(['search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries']);

/**
 * The elements of a list parameter's value as the server understands it: unquoted ones in lower case, quoted ones as they are.
 * @returns undefined for a parameter that is no list.
 */
export function parseList(name: string, value: string): readonly string[] | undefined {
  if (!LIST_PARAMETERS.has(name)) return undefined;
  const elements: string[] = [];
  for (const match of value.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,"]*))\s*(?:,|$)/gy)) {
    const [, quoted, plain] = match;
    elements.push(quoted === undefined ? (plain ?? '').trim().toLowerCase() : quoted.replaceAll('""', '"'));
  }
  // An empty list is stored as one empty name.
  return elements.filter((element) => element !== '');
}

/** Whether two values of a parameter mean the same to the server. */
export function sameSetting(name: string, left: string, right: string): boolean {
  const [leftList, rightList] = [parseList(name, left), parseList(name, right)];
  if (leftList === undefined || rightList === undefined) return left === right;
  return leftList.length === rightList.length && leftList.every((element, index) => element === rightList[index]);
}
