// What a document costs: documents that are built to be slow, of one size and of four times that size, and the limits of what a document may stand for.
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/model/limits.ts';
import { costRatio } from '../support/cost.ts';
import { HOSTILE_DOCUMENTS } from '../support/hostile-documents.ts';
import { problemsOf, read } from './read.ts';

/** Four times the size is four times the cost; quadratic would be 16. */
const LINEAR = 10;

describe('a document of four times the size costs about four times as much:', () => {
  it.each(Object.entries(HOSTILE_DOCUMENTS))('%s', (_what, documentOf) => {
    expect(costRatio(documentOf, read, 15_000)).toBeLessThan(LINEAR);
  });
});

const USER = 'users: [{username: a}]\n';
const role = (name: string, tables: number, more = ''): string =>
  `- {name: ${name}, ${more}grants: [{schemas: [s], tables: [${Array.from({ length: tables }, (_, index) => `t${index}`).join(', ')}], actions: [SELECT]}]}\n`;
/** A block counts two rules more for each of its schemas and databases. */
const AROUND = 4;

describe('an expansion', () => {
  it('is taken at its limit, and refused beyond it for the one entry while the others go on', () => {
    const { roles, invalid, problems } = read(
      `roles:\n${role('most', LIMITS.rulesOfEntry - AROUND)}${role('more', LIMITS.rulesOfEntry - AROUND + 1)}${role('few', 3)}${USER}`,
    );
    expect(roles.map(({ name }) => name)).toEqual(['most', 'few']);
    expect([...invalid]).toEqual(['more']);
    expect(problems.map(({ message }) => message)).toEqual([
      `the block stands for ${LIMITS.rulesOfEntry + 1} rules (databases × schemas × objects), and an entry may have ${LIMITS.rulesOfEntry}; use patterns, or fewer names`,
      'this block grants nothing; add `schemas`, objects or `actions`',
    ]);
  });

  it('of databases × schemas × tables of 80 each is told at once, with what to do', () => {
    const names = Array.from({ length: 80 }, (_, index) => `n${index}`).join(', ');
    const [problem] = problemsOf(`roles: [{name: r, grants: [{databases: [${names}], schemas: [${names}], tables: [${names}], actions: [SELECT]}]}]\n${USER}`);
    expect(problem).toContain(`the block stands for 524960 rules`);
  });

  it('counts over all entries that share a permission', () => {
    const one = 10_000 - AROUND;
    const shared = `permissions:\n${role('p', one).replace('grants: [{', '').replace('}]}', '}')}`;
    const users = Math.floor(LIMITS.rulesOfDocument / one);
    const { users: taken, problems } = read(
      `${shared}users:\n${Array.from({ length: users + 3 }, (_, index) => `- {username: u${index}, permissions: [p]}\n`).join('')}`,
    );
    // The permission itself counts where it stands.
    expect(taken.length).toBe(users - 1);
    expect(problems.at(-1)?.message).toContain(`all entries of a document together may have ${LIMITS.rulesOfDocument}`);
  });
});

it('4,000 patterns that are equally specific are held against each other in time, and the contradictions of one of them are found', () => {
  const patterns = Array.from({ length: 4000 }, (_, index) => `a${index + 1000}*: [${index % 2 ? 'SELECT' : 'INSERT'}]`);
  const problems = problemsOf(`roles: [{name: r, grants: [{schemas: [s], tables: {${patterns.join(', ')}, 'a100*0': [UPDATE]}}]}]\n${USER}`);
  expect(problems).toHaveLength(20);
});
