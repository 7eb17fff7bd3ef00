// Teams that share a server, each from a namespace of its own with the shipped Role, on a real API server: whatever becomes of what they say, nobody loses anything.
import { expect, it } from 'vitest';
import { KubeCase } from '../support/kube-case.ts';
import { KubeFleet, KubeTeam } from '../support/kube-fleet.ts';
import { logsIn } from '../support/logs-in.ts';

const at = new KubeCase();

interface Shown {
  readonly problems: readonly { readonly message: string }[];
  readonly notices: readonly { readonly subject: string; readonly message: string }[];
}

/** A server with a document of the operator, and with two authors. */
async function company() {
  const fleet = new KubeFleet(at);
  const [shop, bill] = [new KubeTeam(at, 'shop'), new KubeTeam(at, 'bill')];
  await Promise.all([at.kube.component(at.namespace, 'servers'), shop.begin(), bill.begin()]);
  await fleet.admin('one-admin', at.server);
  const author = (name: string, { namespace }: KubeTeam): object => ({
    name,
    from: { namespace, matchLabels: { server: 'one' } },
    may: { names: [`${name}_*`], databases: ['postgres'] },
  });
  await fleet.servers([
    { name: 'one', adminSecretRef: { name: 'one-admin' }, documents: [{ name: 'one-users' }], authors: [author('shop', shop), author('bill', bill)] },
  ]);
  const operators: object[] = [{ username: 'operator_0', login: false }];
  await fleet.users('one-users', operators);
  const roles = async (): Promise<string> =>
    (await at.server.query<{ rolname: string }>(`SELECT rolname FROM pg_roles WHERE rolname ~ '^(shop|bill)_' ORDER BY 1`))
      .map(({ rolname }) => rolname)
      .join(' ');
  /** The operator declares one more, and it is there: everything that was said before was heard. */
  const heard = async (): Promise<void> => {
    const username = `operator_${operators.length}`;
    operators.push({ username, login: false });
    await fleet.users('one-users', operators);
    await fleet.until(`${username} is there`, () => at.exists(username));
  };
  const shown = async (): Promise<Shown> => JSON.parse((await at.daemon.get('/status?server=one')).body) as Shown;
  const told = (what: string): Promise<void> => fleet.until(`it says: ${what}`, async () => JSON.stringify(await shown()).includes(what));
  const notTold = (what: string): Promise<void> => fleet.until(`it no longer says: ${what}`, async () => !JSON.stringify(await shown()).includes(what));
  return { fleet, shop, bill, roles, heard, told, notTold };
}

/** Who has a Secret logs in. */
const user = (username: string): object => ({ username, database: 'postgres', login: username.endsWith('_app') });

it('has the users of each, and what cannot be read or is gone keeps them', async () => {
  const { fleet, shop, bill, roles, heard, told, notTold } = await company();
  await shop.allow();
  await shop.document('users', { users: [user('shop_app'), user('shop_old')] });
  await shop.document('others', { users: [user('shop_not_meant')] }, { server: 'two' });
  await shop.secret('user-shop-app-secret', 'shop-1');
  await bill.document('users', { users: [user('bill_app')] });
  await bill.secret('user-bill-app-secret', 'bill-1');
  await fleet.run({ SYNC_INTERVAL: '1' });
  await fleet.until('shop logs in', () => logsIn(at.server, 'shop_app', 'shop-1'));
  // The other team has not let us in yet.
  const missing = `we may not list configmaps in namespace ${bill.namespace}; the Role needs the verb list on configmaps`;
  await told(missing);
  await told(`kubectl apply -n ${bill.namespace} -k manifests/author`);
  expect(await roles()).toBe('shop_app shop_old');
  await bill.allow();
  await fleet.until('bill logs in', () => logsIn(at.server, 'bill_app', 'bill-1'));
  await notTold(missing);

  await bill.secret('user-bill-app-secret', 'bill-2');
  await fleet.until('a rotation', () => logsIn(at.server, 'bill_app', 'bill-2'));

  // Renamed: names move with it, and go when the one that has them by now no longer says them.
  await shop.document('renamed', { users: [user('shop_app'), user('shop_old')] });
  await shop.gone('configmaps', 'users');
  await heard();
  expect(await roles()).toBe('bill_app shop_app shop_old');
  await shop.document('renamed', { users: [user('shop_app')] });
  await fleet.until('what it no longer says goes', async () => (await roles()) === 'bill_app shop_app');

  await shop.document('renamed', { users: [user('shop_app'), user('shop_new')] }, { server: null });
  await told(`no ConfigMap of the namespace ${shop.namespace} has the labels server=one`);
  await heard();
  expect(await roles()).toBe('bill_app shop_app');
  await shop.document('renamed', { users: [user('shop_app'), user('shop_new')] });
  await fleet.until('the labels are back', async () => (await roles()) === 'bill_app shop_app shop_new');

  await shop.gone('configmaps', 'renamed');
  await told(`no ConfigMap of the namespace ${shop.namespace} has the labels server=one`);
  await heard();
  expect(await roles()).toBe('bill_app shop_app shop_new');
  await shop.document('renamed', { users: [user('shop_app')] });
  await fleet.until('it is back', async () => (await roles()) === 'bill_app shop_app');

  await shop.forbid();
  await told(`we may not list configmaps in namespace ${shop.namespace}`);
  await shop.document('renamed', { users: [user('shop_late')] });
  await shop.secret('user-shop-app-secret', 'shop-2');
  await heard();
  expect(await at.metric('author_unreadable_since_timestamp{server="one",author="shop"}')).toBeGreaterThan(Date.now() / 1000 - 300);
  expect(await at.metric('author_unreadable_since_timestamp{server="one",author="bill"}')).toBe(0);
  expect(await roles()).toBe('bill_app shop_app');
  expect(await logsIn(at.server, 'shop_app', 'shop-1')).toBe(true);
  await bill.document('users', { users: [user('bill_app'), user('bill_more')] });
  await fleet.until('the other team goes on', async () => (await roles()) === 'bill_app bill_more shop_app');
  await shop.document('renamed', { users: [user('shop_app'), user('shop_late')] });
  await shop.allow();
  await fleet.until('it goes on', () => logsIn(at.server, 'shop_app', 'shop-2'));
  await fleet.until('and what was said meanwhile is done', async () => (await roles()) === 'bill_app bill_more shop_app shop_late');

  await bill.end();
  await told(`we may not list configmaps in namespace ${bill.namespace}`);
  await heard();
  expect(await roles()).toBe('bill_app bill_more shop_app shop_late');
  expect(await logsIn(at.server, 'bill_app', 'bill-2')).toBe(true);
});

it('hears of an edit at once, and of a rotation where the Role allows it', async () => {
  const { fleet, shop, bill } = await company();
  await Promise.all([shop.allow(), bill.allow((rules) => rules.map((rule) => ({ ...rule, verbs: [...new Set([...rule.verbs, 'list', 'watch'])] })))]);
  await shop.document('users', { users: [user('shop_app')] });
  await bill.document('users', { users: [user('bill_app')] });
  await shop.secret('user-shop-app-secret', 'shop-1');
  await bill.secret('user-bill-app-secret', 'bill-1');
  await fleet.run();
  await fleet.until('both log in', async () => (await logsIn(at.server, 'shop_app', 'shop-1')) && logsIn(at.server, 'bill_app', 'bill-1'));
  // The interval is an hour: all of this is heard.
  await shop.document('users', { users: [user('shop_app'), user('shop_more')] });
  await fleet.until('an edit', () => at.exists('shop_more'));
  await shop.document('further', { users: [user('shop_last')] });
  await fleet.until('another ConfigMap', () => at.exists('shop_last'));
  await bill.secret('user-bill-app-secret', 'bill-2');
  await fleet.until('a rotation', () => logsIn(at.server, 'bill_app', 'bill-2'));
  expect(await at.metric('watch_connected{server="one",watch="document"}')).toBe(1);
});

it('tells each of its own alone, where it looks, and holds nothing up where it may not', async () => {
  const { fleet, shop, bill, told, notTold } = await company();
  await shop.allow();
  await bill.allow((rules) => rules.filter(({ verbs }) => verbs.includes('get')));
  await shop.document('users', { users: [user('shop_app'), { username: 'bill_x', login: false, database: 'postgres' }], roles: [{ name: 'shop_reader' }] });
  await shop.secret('user-shop-app-secret', 'shop-1');
  await bill.document('users', { users: [user('bill_app')] });
  await bill.secret('user-bill-app-secret', 'bill-1');
  await fleet.run({ SYNC_INTERVAL: '1' });
  const statusIn = async ({ namespace }: KubeTeam, key: string): Promise<string> =>
    ((await at.kube.api('GET', `/api/v1/namespaces/${namespace}/configmaps/pgsteward-status`)).json['data'] as Record<string, string> | undefined)?.[key] ?? '';
  await fleet.until('bill logs in', () => logsIn(at.server, 'bill_app', 'bill-1'));
  await fleet.until('shop is told', async () => (await statusIn(shop, 'one.shop.json')) !== '');
  await fleet.until('shop logs in', () => logsIn(at.server, 'shop_app', 'shop-1'));
  const said = JSON.parse(await statusIn(shop, 'one.shop.json')) as object;
  expect(said).toMatchObject({
    server: 'one',
    author: 'shop',
    ready: false,
    reason: 'DocumentInvalid',
    problems: [expect.stringContaining('bill_x')],
    users: { shop_app: [{ type: 'Ready', status: 'True' }] },
    roles: { shop_reader: [{ type: 'Ready', status: 'True' }] },
    may: { names: ['shop_*'], databases: ['postgres'] },
  });
  const eventsIn = async ({ namespace }: KubeTeam): Promise<string> =>
    JSON.stringify((await at.kube.api('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`)).json['items']);
  for (const reason of ['"Applied"', '"Invalid"']) await fleet.until(`the Event ${reason}`, async () => (await eventsIn(shop)).includes(reason));
  for (const text of [JSON.stringify(said), await eventsIn(shop)]) expect(text).not.toMatch(/bill_app|operator_0|one-users/);
  expect(await eventsIn(shop)).toContain('"name":"users"');

  await told(`author bill: the status is not written down: we may not patch configmaps pgsteward-status in namespace ${bill.namespace}`);
  expect(await at.metric('status_stale{server="one"}')).toBe(0);
  const ofShop = (name: string): Promise<number> => at.metric(`author_${name}{server="one",author="shop"}`);
  expect(await Promise.all(['users_managed', 'errors', 'refused', 'breaker_tripped', 'unreadable_since_timestamp'].map(ofShop))).toEqual([1, 1, 0, 0, 0]);
  await bill.document('users', { users: [user('bill_app'), user('bill_more')] });
  await fleet.until('nothing is held up', () => at.exists('bill_more'));
  await bill.allow();
  await fleet.until('bill is told', async () => (await statusIn(bill, 'one.bill.json')).includes('bill_more'));
  await notTold('the status is not written down');
  expect(await statusIn(bill, 'one.bill.json')).not.toMatch(/shop_app|operator_0/);
  await shop.document('users', { users: [user('shop_app')], roles: [{ name: 'shop_reader' }] });
  await fleet.until('all is well', async () => (await statusIn(shop, 'one.shop.json')).includes('"ready":true'));
});

it('says which right is missing where the Role gives less', async () => {
  const { fleet, shop, roles, heard, told, notTold } = await company();
  await shop.allow((rules) => rules.map((rule) => (rule.resources.includes('configmaps') ? { ...rule, verbs: ['list'] } : rule)));
  const watch = `changes are seen by the interval only: we may not watch configmaps in namespace ${shop.namespace}; the Role needs the verb watch`;
  await shop.document('users', { users: [user('shop_app')] });
  await shop.secret('user-shop-app-secret', 'shop-1');
  await fleet.run({ SYNC_INTERVAL: '1' });
  await told(`we may not get configmaps users in namespace ${shop.namespace}; the Role needs the verb get on configmaps`);
  await heard();
  expect(await roles()).toBe('');
  await fleet.until('the watch is missed in the log', () => Promise.resolve(at.daemon.output().includes(watch)));
  await shop.allow((rules) => rules.filter((rule) => !rule.resources.includes('secrets')));
  await told(`we may not get secrets user-shop-app-secret in namespace ${shop.namespace}; the Role needs the verb get on secrets`);
  expect(await logsIn(at.server, 'shop_app', 'shop-1')).toBe(false);
  await shop.allow();
  await fleet.until('it logs in', () => logsIn(at.server, 'shop_app', 'shop-1'));
  await notTold(shop.namespace + '; the Role needs');
});
