// Parameters whose value is a list of names: ALTER ROLE … SET must get each element on its own, or the whole list becomes one quoted name.

/** The server's GUC_LIST_QUOTE parameters that a role may carry. */
const LIST_PARAMETERS: ReadonlySet<string> = new Set(['search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries']);

/** What the server skips between elements; other spaces are characters of a name. */
const SPACES = ' \t\n\r\f\v';

/**
 * The elements of a list parameter's value as the server understands it: unquoted ones in lower case, quoted ones as they are.
 * What follows something that is no element is left out. Anybody may put any value on a role of its own: each character is looked at once.
 * @returns undefined for a parameter that is no list.
 */
export function parseList(name: string, value: string): readonly string[] | undefined {
  if (!LIST_PARAMETERS.has(name)) return undefined;
  const elements: string[] = [];
  for (let at = 0; at < value.length;) {
    at = afterSpaces(value, at);
    const element = value[at] === '"' ? quotedAt(value, at) : plainAt(value, at);
    if (element === undefined) break;
    at = afterSpaces(value, element.end);
    if (at < value.length && value[at] !== ',') break;
    elements.push(element.text);
    at += 1;
  }
  // An empty list is stored as one empty name.
  return elements.filter((element) => element !== '');
}

function afterSpaces(value: string, start: number): number {
  let at = start;
  while (at < value.length && SPACES.includes(value.charAt(at))) at += 1;
  return at;
}

interface Element {
  readonly text: string;
  readonly end: number;
}

/** Undefined where the quote stays open. */
function quotedAt(value: string, start: number): Element | undefined {
  for (let at = value.indexOf('"', start + 1); at !== -1; at = value.indexOf('"', at + 2))
    if (value[at + 1] !== '"') return { text: value.slice(start + 1, at).replaceAll('""', '"'), end: at + 1 };
  return undefined;
}

function plainAt(value: string, start: number): Element {
  let [at, end] = [start, start];
  for (; at < value.length && value[at] !== ',' && value[at] !== '"'; at += 1) if (!SPACES.includes(value.charAt(at))) end = at + 1;
  return { text: value.slice(start, end).toLowerCase(), end: at };
}

/** Whether two values of a parameter mean the same to the server. */
export function sameSetting(name: string, left: string, right: string): boolean {
  const [leftList, rightList] = [parseList(name, left), parseList(name, right)];
  if (leftList === undefined || rightList === undefined) return left === right;
  return leftList.length === rightList.length && leftList.every((element, index) => element === rightList[index]);
}
