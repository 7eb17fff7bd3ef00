// Documents that are built to cost as much as they can, each of about so many bytes.

const items = (size: number, item: (index: number) => string): string => {
  const parts: string[] = [];
  for (let [index, length] = [0, 0]; length < size; index += 1) length += parts[parts.push(item(index)) - 1]?.length ?? 0;
  return parts.join('');
};
const USER = 'users: [{username: a}]\n';
const inGrants = (block: string): string => `roles:\n- name: r\n  grants:\n  - {schemas: [s], ${block}}\n${USER}`;
const list = (size: number, item: (index: number) => string): string => `[${items(size, (index) => `${item(index)}, `)}x]`;

/** What it is → a document of a size in bytes. */
export const HOSTILE_DOCUMENTS: Readonly<Record<string, (size: number) => string>> = {
  'globs that are all equally specific': (size) =>
    inGrants(`tables: {${items(size, (index) => `a${index + 100_000}*: [${index % 2 ? 'SELECT' : 'INSERT'}], `)}}`),
  'globs told apart at their end': (size) => inGrants(`tables: {${items(size, (index) => `"*a${index + 100_000}": [${index % 2 ? 'SELECT' : 'INSERT'}], `)}}`),
  'globs told apart in the middle': (size) => inGrants(`tables: {${items(size, (index) => `a*${index + 100_000}*b: [${index % 2 ? 'SELECT' : 'INSERT'}], `)}}`),
  'globs told apart at both ends': (size) =>
    inGrants(`tables: {${items(size, (index) => `a${(index % 90) + 10}*b${Math.floor(index / 90) + 1000}: [${index % 2 ? 'SELECT' : 'INSERT'}], `)}}`),
  'functions told apart by their arguments': (size) =>
    inGrants(`functions: {${items(size, (index) => `"f*(${index + 10_000})": [${index % 2 ? 'EXECUTE' : ''}], `)}}`),
  'databases × schemas × tables': (size) => {
    const names = list(size / 3, (index) => `n${index}`);
    return `roles:\n- name: r\n  grants:\n  - {databases: ${names}, schemas: ${names}, tables: ${names}, actions: [SELECT]}\n${USER}`;
  },
  'users of one large permission': (size) =>
    `permissions:\n- {name: p, schemas: [s], tables: ${list(size / 2, (index) => `n${index}`)}, actions: [SELECT]}\nusers:\n${items(size / 2, (index) => `- {username: u${index}, permissions: [p]}\n`)}`,
  'unknown permissions': (size) =>
    `permissions:\n${items(size / 2, (index) => `- {name: perm${index}, actions: [CONNECT]}\n`)}users:\n- {username: a, permissions: ${list(size / 2, (index) => `prem${index}`)}}\n`,
  'unknown keys': (size) => `users:\n- {username: a, ${items(size, (index) => `connectionlimits${index}: 1, `)}}\n`,
  'unknown keys in many entries': (size) => `users:\n${items(size, (index) => `- {username: a${index}, conectionLimitt: 1}\n`)}`,
  'keys that stand twice': (size) => `users:\n- {username: a, ${items(size, () => 'a: 1, ')}}\n`,
  'roles and unknown keys in one entry': (size) =>
    `users:\n- {username: a, ${items(size / 2, (index) => `k${index}: 1, `)}roles: ${list(size / 2, (index) => `r${index}`)}}\n`,
  'roles of the wrong kind': (size) => `users:\n- {username: a, roles: ${list(size, () => '1')}}\n`,
  'one cycle of memberships': (size) =>
    `roles:\n${items(size, (index) => `- {name: r${index}, memberOf: [r${index + 1}]}\n`)}- {name: rx, memberOf: [r0]}\n${USER}`,
  'everybody a member of everybody': (size) => {
    const count = Math.floor(Math.sqrt(size / 5));
    const names = Array.from({ length: count }, (_, index) => `r${index}`);
    return `roles:\n${names.map((name) => `- {name: ${name}, memberOf: [${names.join(',')}]}\n`).join('')}${USER}`;
  },
  'a long chain to each assumed role': (size) =>
    `roles:\n${items(size / 2, (index) => `- {name: r${index}, memberOf: [r${index + 1}]}\n`)}users:\n${items(size / 2, (index) => `- {username: u${index}, roles: [r0], assumeRole: none_such}\n`)}`,
  'names that stand twice': (size) => `users:\n${items(size, () => '- {username: a}\n')}`,
  'users of one Secret': (size) => `users:\n${items(size, (index) => `- {username: "${'+-_ '.charAt(index % 4)}a"}\n`)}`,
  'a template of values': (size) => `users:\n- username: a\n  connectionSecret: {name: s, template: {t: "${items(size, () => '{{ uri }}')}"}}\n`,
  'a template with an open brace': (size) => `users:\n- username: a\n  connectionSecret: {name: s, template: {t: "{{${' '.repeat(size)}"}}\n`,
  'keys of a template and of uris': (size) =>
    `users:\n- username: a\n  connectionSecret: {name: s, uris: {${items(size / 2, (index) => `u${index}: {host: h}, `)}}, template: {${items(size / 2, (index) => `t${index}: "{{ x }}", `)}}}\n`,
  'a search_path of spaces': (size) => `users:\n- username: a\n  settings: {search_path: "${' '.repeat(size)}a'b"}\n`,
  'settings in many spellings': (size) => `users:\n- username: a\n  settings: {${items(size, (index) => `a.b${index}: 1, `)}}\n`,
  'a function of many dimensions': (size) => inGrants(`functions: {"f(${'[]'.repeat(size / 2)}x)": [EXECUTE]}`),
  'a name as long as the document': (size) => `users:\n- username: ${'a'.repeat(size)}\n`,
  'brackets that stay open': (size) => `users: ${'['.repeat(size)}`,
  'lines of braces': (size) => items(size, () => '{}\n'),
  'aliases of aliases': (size) =>
    `a: &a0 [${'x, '.repeat(10)}]\n${Array.from({ length: Math.min(60, size / 30) }, (_, index) => `b${index}: &a${index + 1} [*a${index}, *a${index}]\n`).join('')}${USER}${'#'.repeat(size)}\n`,
  'merges of merges': (size) => `a: &a {${items(size / 2, (index) => `k${index}: 1, `)}}\nusers:\n${items(size / 2, () => '- {<<: *a}\n')}`,
  'databases of many schemas': (size) => `databases:\n- {name: d, schemas: ${list(size, (index) => `s${index}`)}}\n${USER}`,
  'comments alone': (size) => `${USER}${items(size, () => '# a\n')}`,
};
