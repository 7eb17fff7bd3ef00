// The state of the scenario: what was said by whom and what of it can be heard, and what is therefore in force at a quiet moment.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Random } from '../hostile/random.ts';
import type { KubeCase } from '../support/kube-case.ts';
import { KubeFleet, KubeTeam } from '../support/kube-fleet.ts';
import type { KubeReplicas } from '../support/kube-replicas.ts';
import { logsIn } from '../support/logs-in.ts';
import { readActual } from './actual.ts';
import { entryOf, LABEL, type Team, TEAMS } from './company.ts';
import {
  type Across,
  across,
  NOTHING_REFUSED,
  operatorsDocument,
  type Refused,
  refusedEntries,
  type Said,
  secretOf,
  teamsDocument,
  textOf,
  withAll,
} from './documents.ts';
import { differences } from './expected.ts';
import type { Machine } from './machine.ts';

/** One document of one server. */
export interface Source {
  readonly machine: Machine;
  /** Undefined: the operator's. */
  readonly team: Team | undefined;
  said: Said;
  refused: Refused;
  across: Across;
  inForce: Said;
  configMap: 'there' | 'gone' | 'relabelled';
  /** Nothing was done to it since it was heard: what is in force is known, whatever is taken away now. */
  isSettled: boolean;
  /** User → the password in its Secret. */
  readonly passwords: Map<string, string>;
  readonly passwordsInForce: Map<string, string>;
}

export interface TeamState {
  readonly kube: KubeTeam;
  namespace: boolean;
  right: boolean;
}

/** How long it may take until everything is as declared. */
const PATIENCE = Number(process.env['PATIENCE'] ?? 150) * 1000;

export class World {
  readonly machines: readonly Machine[];
  readonly sources: Source[] = [];
  readonly teams: ReadonlyMap<Team, TeamState>;
  readonly listed: Set<Machine>;
  readonly replicas: KubeReplicas;
  /** A replica that stands still. */
  stopped: string | undefined;
  readonly fleet: KubeFleet;
  readonly random: Random;
  readonly waits: number[] = [];
  /** What was not right yet after ten seconds, once for each server and quiet moment. */
  readonly late: string[] = [];
  #others = new Map<Machine, readonly string[]>();
  #marks = 0;

  constructor(at: KubeCase, random: Random, machines: readonly Machine[], replicas: KubeReplicas) {
    this.random = random;
    this.machines = machines;
    this.listed = new Set(machines);
    this.replicas = replicas;
    this.fleet = new KubeFleet(at);
    this.teams = new Map(TEAMS.map((team) => [team, { kube: new KubeTeam(at, team), namespace: true, right: true }]));
  }

  async begin(): Promise<void> {
    for (const { kube } of this.teams.values()) {
      await kube.begin();
      await kube.allow();
    }
    for (const machine of this.machines) {
      const { name, teams } = machine.place;
      await this.fleet.secret(`${name}-admin`, { username: machine.server.user, password: machine.server.password, dbname: '*' });
      const before = await readActual(machine.server);
      this.#others.set(machine, before.others);
      for (const team of [undefined, ...teams]) {
        const source = this.#newSource(machine, team);
        this.sources.push(source);
        await this.publish(source);
      }
    }
    await this.declareServers();
  }

  #newSource(machine: Machine, team: Team | undefined): Source {
    const drawn = team === undefined ? { sharedWith: [], joins: [] } : across(this.random, team, machine.place.teams);
    const said = this.#draw(machine, team, drawn);
    const source: Source = {
      machine,
      team,
      said,
      refused: NOTHING_REFUSED,
      across: drawn,
      inForce: said,
      configMap: 'there',
      isSettled: false,
      passwords: new Map(),
      passwordsInForce: new Map(),
    };
    return source;
  }

  #draw(machine: Machine, team: Team | undefined, drawn: Across): Said {
    const { name } = machine.place;
    return team === undefined ? operatorsDocument(this.random, name, (this.#marks += 1)) : teamsDocument(this.random, name, team, drawn);
  }

  /** Writes its ConfigMap, and the Secrets of its users before. */
  async publish(source: Source): Promise<void> {
    source.isSettled = false;
    for (const { username, passwordSecretRef } of source.said.users)
      if (passwordSecretRef !== undefined && !source.passwords.has(username)) await this.putSecret(source, username);
    const { machine, team } = source;
    const text = textOf(source.said, source.refused);
    if (team === undefined) await this.fleet.put('configmaps', `${machine.place.name}-users`, { data: { 'users.yaml': JSON.stringify(text) } });
    else
      await this.teamOf(team).kube.document(`${machine.place.name}-users`, JSON.stringify(text), {
        [LABEL]: source.configMap === 'relabelled' ? 'elsewhere' : machine.place.name,
      });
  }

  /** A new password in the Secret of a user. */
  async putSecret(source: Source, username: string): Promise<void> {
    const password = `pw ${username} ${source.machine.place.name} ${this.random.below(1e9)}`;
    source.passwords.set(username, password);
    source.isSettled = false;
    await this.writeSecret(source, username);
  }

  async writeSecret({ machine, team, passwords }: Source, username: string): Promise<void> {
    const name = secretOf(machine.place.name, username);
    const password = passwords.get(username) ?? '';
    if (team === undefined) await this.fleet.secret(name, { password });
    else await this.teamOf(team).kube.secret(name, password);
  }

  async takeAway(source: Source): Promise<void> {
    const name = `${source.machine.place.name}-users`;
    if (source.team === undefined) await this.fleet.gone('configmaps', name);
    else await this.teamOf(source.team).kube.gone('configmaps', name);
  }

  /** Something else is said; nothing of it goes where something in it is wrong. */
  edit(source: Source): void {
    const { machine, team } = source;
    const others = this.sources.filter((one) => one.machine === machine && one.team !== undefined);
    const isFree = others.every((one) => this.isReadable(one) && one.refused === NOTHING_REFUSED);
    if (team !== undefined && isFree && this.random.oneIn(2)) source.across = across(this.random, team, machine.place.teams);
    const drawn = this.#draw(machine, team, source.across);
    source.said = source.refused === NOTHING_REFUSED ? drawn : withAll(drawn, source.inForce, source.said);
  }

  spoil(source: Source): void {
    source.refused = refusedEntries(this.random, source.team);
    source.said = withAll(source.said, source.inForce);
  }

  async declareServers(): Promise<void> {
    const entries = [...this.listed].map(({ place, ports }) =>
      entryOf(
        place,
        ports.map((port) => `127.0.0.1:${port}`),
        (team) => this.teamOf(team).kube.namespace,
      ),
    );
    await this.fleet.servers(entries);
  }

  teamOf(team: Team): TeamState {
    const found = this.teams.get(team);
    if (found === undefined) throw new Error(`there is no team ${team}`);
    return found;
  }

  /** Without the operator's document nobody's is heard. */
  isReadable({ machine, team, configMap }: Source): boolean {
    if (configMap !== 'there' || team === undefined) return configMap === 'there';
    const { namespace, right } = this.teamOf(team);
    return namespace && right && this.sources.some((one) => one.machine === machine && one.team === undefined && one.configMap === 'there');
  }

  sourcesOf(machine: Machine): readonly Source[] {
    return this.sources.filter((source) => source.machine === machine);
  }

  /** Nothing of it is under way, and all of it can be heard. */
  isCalm(machine: Machine): boolean {
    return this.sourcesOf(machine).every((source) => source.isSettled && this.isReadable(source));
  }

  unsettle(machine: Machine): void {
    for (const source of this.sourcesOf(machine)) source.isSettled = false;
  }

  /** Somebody else did something: whatever else was somebody else's is as before. */
  async othersChanged(machine: Machine, what: RegExp): Promise<void> {
    const before = this.#others.get(machine) ?? [];
    const { others } = await readActual(machine.server);
    const changed = [...others.filter((line) => !before.includes(line)), ...before.filter((line) => !others.includes(line))];
    expect(changed.filter((line) => !what.test(line))).toEqual([]);
    this.#others.set(machine, others);
    await machine.replicated();
  }

  /** Until every server that can be reached is as declared, and everything that was said has been heard. */
  async quiet(): Promise<void> {
    const began = performance.now();
    for (const [name, daemon] of this.replicas.running) expect([name, daemon.process.exitCode]).toEqual([name, null]);
    // All sources are heard again by the cycle that does this; only then what must have no effect can have had none.
    for (const source of this.sources)
      if (source.team === undefined && this.isReadable(source) && this.listed.has(source.machine)) {
        const mark = (this.#marks += 1);
        source.said = { ...source.said, users: source.said.users.map((user) => (user.username === 'op_mark' ? { ...user, connectionLimit: mark } : user)) };
        await this.publish(source);
      }
    for (const source of this.sources)
      if (this.listed.has(source.machine) && source.machine.isUp && this.isReadable(source)) {
        source.inForce = source.said;
        for (const [username, password] of source.passwords) source.passwordsInForce.set(username, password);
      }
    for (const machine of this.machines) if (machine.isUp) await this.#asDeclared(machine, began);
    for (const machine of this.machines)
      if (machine.isUp) {
        expect(await this.#wrong(machine), `${machine.place.name} later`).toEqual([]);
        if (this.listed.has(machine)) for (const source of this.sourcesOf(machine)) source.isSettled = this.isReadable(source);
        await machine.replicated();
      }
    this.waits.push(performance.now() - began);
  }

  async #asDeclared(machine: Machine, began: number): Promise<void> {
    let late: string | undefined;
    const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1);
    for (;;) {
      const wrong = await this.#wrong(machine).catch((error: unknown) => [String(error)]);
      if (wrong.length === 0) {
        if (late !== undefined) this.late.push(`${machine.place.name} after ${seconds()} s: ${late}`);
        return;
      }
      if (performance.now() - began > 10_000) late ??= wrong.slice(0, 3).join('; ');
      if (performance.now() - began > PATIENCE)
        throw new Error(`${machine.place.name} (${machine.server.major}): ${wrong.slice(0, 12).join('\n')}\n${await this.said(machine.place.name)}`);
      await sleep(300);
    }
  }

  /** What is not as it should be, of what is declared and of what is somebody else's. */
  async #wrong(machine: Machine): Promise<readonly string[]> {
    const actual = await readActual(machine.server);
    const sources = this.sourcesOf(machine);
    const inForce = sources.map(({ team, inForce }) => ({ team, said: inForce }));
    const wrong = [...differences(inForce, actual, machine.server.major)];
    const others = this.#others.get(machine) ?? [];
    wrong.push(...others.filter((line) => !actual.others.includes(line)).map((line) => `somebody else's, gone: ${line}`));
    wrong.push(...actual.others.filter((line) => !others.includes(line)).map((line) => `nobody declared: ${line}`));
    if (wrong.length > 0) return wrong;
    for (const { inForce, passwordsInForce } of sources)
      for (const { username, login = true } of inForce.users)
        if (login && !(await logsIn(machine.server, username, passwordsInForce.get(username) ?? ''))) wrong.push(`${username} does not log in`);
    return wrong;
  }

  /** What the replicas say of a server, for somebody who wants to know why. */
  async said(server: string): Promise<string> {
    const all = await Promise.all(
      [...this.replicas.running].map(async ([name, daemon]) => {
        const status = await daemon.get(`/status?server=${server}`).catch((error: unknown) => ({ body: String(error) }));
        const lines = daemon
          .output()
          .split('\n')
          .filter((line) => line.includes(`"server":"${server}"`));
        return `${name}: ${status.body.slice(0, 3000)}\n${lines.slice(-40).join('\n').slice(-6000)}`;
      }),
    );
    return all.join('\n\n');
  }

  /** One that nothing has in its name. */
  nextNumber(): number {
    return 1000 + (this.#marks += 1);
  }
}
