// The state of the scenario: what was said by whom and what of it can be heard, and what is therefore in force at a quiet moment.
import { expect } from 'vitest';
import type { Random } from '../hostile/random.ts';
import type { ControlPlane } from '../support/kube-apiserver.ts';
import type { KubeCase } from '../support/kube-case.ts';
import { KubeFleet, KubeTeam } from '../support/kube-fleet.ts';
import type { KubeReplicas } from '../support/kube-replicas.ts';
import { readActual } from './actual.ts';
import { ADMIN, entryOf, LABEL, type Team, TEAMS } from './company.ts';
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

export class World {
  readonly machines: readonly Machine[];
  readonly sources: Source[] = [];
  readonly teams: ReadonlyMap<Team, TeamState>;
  readonly listed: Set<Machine>;
  readonly replicas: KubeReplicas;
  /** A replica that stands still. */
  stopped: string | undefined;
  /** A server whose entry is wrong: it is kept as it was. */
  misspelt: Machine | undefined;
  readonly fleet: KubeFleet;
  readonly random: Random;
  readonly waits: number[] = [];
  /** What was not right yet after ten seconds, once for each server and quiet moment. */
  readonly late: string[] = [];
  /** What is somebody else's on each, as it was last. */
  readonly others = new Map<Machine, readonly string[]>();
  #marks = 0;
  readonly #kube: ControlPlane;

  constructor(at: KubeCase, random: Random, machines: readonly Machine[], replicas: KubeReplicas) {
    this.#kube = at.kube;
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
      const { teams } = machine.place;
      await this.adminSecret(machine);
      const before = await readActual(machine.server);
      this.others.set(machine, before.others);
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

  adminSecret({ place, adminPassword }: Machine): Promise<void> {
    return this.fleet.secret(`${place.name}-admin`, { username: ADMIN, password: adminPassword, dbname: '*' });
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
    const entries = [...this.listed].map((machine) => {
      const hosts = machine.ports.map((port) => `127.0.0.1:${port}`);
      const entry = entryOf(machine.place, hosts, (team) => this.teamOf(team).kube.namespace);
      return machine === this.misspelt ? { ...entry, polcy: {}, hosts: ['127.0.0.1:1'] } : entry;
    });
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
    const before = this.others.get(machine) ?? [];
    const { others } = await readActual(machine.server);
    const changed = [...others.filter((line) => !before.includes(line)), ...before.filter((line) => !others.includes(line))];
    expect(changed.filter((line) => !what.test(line))).toEqual([]);
    this.others.set(machine, others);
    await machine.replicated();
  }

  /** The operator says something that every server shows when it was heard. */
  async mark(source: Source): Promise<void> {
    const mark = (this.#marks += 1);
    source.said = { ...source.said, users: source.said.users.map((user) => (user.username === 'op_mark' ? { ...user, connectionLimit: mark } : user)) };
    await this.publish(source);
  }

  pauseApiServer(isPaused: boolean): void {
    if (isPaused) this.#kube.pause();
    else this.#kube.resume();
  }

  /** One that nothing has in its name. */
  nextNumber(): number {
    return 1000 + (this.#marks += 1);
  }
}
