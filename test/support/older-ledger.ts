// A ledger as an older version made it: what later migrations brought is taken away.

/** What version 9 brought. */
export const WITHOUT_HISTORY = 'DROP TABLE pgsteward.document, pgsteward.revision, pgsteward.audit_chain; ALTER TABLE pgsteward.audit_log DROP COLUMN revision';
