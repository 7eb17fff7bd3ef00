// The limits of what others write, each in one place; docs/limits.md says what happens past them, and a test holds the two together.

export const LIMITS = {
  /** What a ConfigMap can hold at most: 1 MiB in all its values. */
  documentBytes: 1_048_576,
  /** Nobody nests a users document deeper than this; below it, no recursion can exhaust the stack. */
  documentDepth: 64,
  /** Words, brackets, spaces and line ends that go to the parser at once: it needs about 700 bytes for each. */
  documentTokens: 200_000,
  /** How many nodes aliases and merge keys may add to those that are written out, in one document. */
  aliasNodes: 250_000,
  /** Problems of one document that are kept: every entry of 10,000 may be wrong twice. */
  problems: 20_000,
  /** Problems that are looked for in one mapping; its others are mostly their echoes. */
  problemsOfMapping: 100,
  /** Items of one list of an entry. */
  listItems: 10_000,
  /** What one entry's grants and permissions stand for, expanded: databases × schemas × objects, over all its blocks. */
  rulesOfEntry: 10_000,
  /** The same for all entries of a document together. */
  rulesOfDocument: 200_000,
  /** Characters that the valid items of a document come to, expanded, as a revision keeps them. */
  saidOfDocument: 8_388_608,
  /** Comparisons of equally specific patterns for each rule of an entry. */
  comparisonsOfRule: 200,
  /** Known words that a misspelt one is compared with. */
  suggestions: 100,
  /** Roles that are followed from one user to the role that it assumes. */
  rolesToAssume: 1000,
  /** Entries on cycles of memberships whose way round is searched for. */
  cyclesShown: 50,
  /** Characters of a function's pattern with its argument types. */
  functionPattern: 8192,
  /** Characters of a setting's value, and settings of one role that are looked at. */
  settingLength: 8192,
  settingsOfRole: 1000,
  /** Characters of all settings of one role in one database that are looked at. */
  settingsLength: 262_144,
  /** Bytes of the server's answer to one round trip: rows take several times as much memory. */
  answerBytes: 25_165_824,
  /** Rows of it, and other messages: one of seven bytes takes a hundred. */
  answerRows: 1_000_000,
  /** Characters of a parameter's name. */
  parameterName: 1024,
  /** Characters of a role's comment. */
  comment: 8192,
  /** Bytes of a snapshot's file, and items of one of its lists. */
  snapshotBytes: 134_217_728,
  snapshotItems: 2_000_000,
  /** Characters of log lines that wait for whoever reads the log. */
  logWaiting: 4_194_304,
  /** Rounds of PBKDF2 that a stored verifier may ask of us (more only as the server itself says), and one in a Secret of the server; the most that anybody advises. */
  verifierIterations: 600_000,
  /** Characters of a stored verifier that are read. */
  verifierLength: 1024,
  /** Bytes of a Secret's value that is kept to be judged, and characters of an annotation beside it: of thousands of Secrets, each may be a megabyte. */
  secretValue: 16_384,
  /** Bytes of the file of DB_SSL_ROOT_CERT, and of KUBECONFIG: a system's own list of authorities has a quarter of that. */
  certificates: 1_048_576,
  /** Characters of a Secret that is known as a whole, as JSON: what others put beside our values must not fill our memory. And of all of them together. */
  wholeSecret: 262_144,
  wholeSecrets: 33_554_432,
  /** Keys of a connection Secret's template, of its uris, and names between braces in one text. */
  connectionKeys: 100,
  /** Bytes of the rules of one database's event trigger. Every session that runs DDL there keeps them, about twelve times over, once it has needed them. */
  triggerRules: 1_048_576,
  /** Entries of all ACLs in one database that name a role which leaves: what it passed on is looked for among them. */
  entriesOfLeaver: 100_000,
  /** Guardrails of a document or of the operator, and names in one list of theirs. */
  guardrails: 200,
  guardrailItems: 1000,
  /** What all guardrails of a document, or of the operator, are about: schemas times names. */
  guardrailTargets: 5000,
  /** Comparisons of rules with guardrails where there is no server. */
  guardrailComparisons: 5_000_000,
  /** Who breaks one guardrail in one database: so many are told one by one. */
  brokenShown: 20,
  /** Views above a relation, and functions with SECURITY DEFINER in its database, that are looked at for other ways to it. */
  definers: 1000,
  /** Tables with row level security, views, and functions with SECURITY DEFINER in one database, that a snapshot has of each. */
  besideItems: 20_000,
  /** ConfigMaps of one author, and bytes of all of them: each may have a megabyte, and is kept. */
  authorDocuments: 100,
  authorBytes: 4_194_304,
  /** Servers of one process, and items of one list in the file that declares them. */
  servers: 500,
  serverItems: 200,
} as const;
