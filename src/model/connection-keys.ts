// The keys of a connection Secret, by which templates name them too.

/** What every connection Secret holds. */
export const CONNECTION_KEYS = [
  'type',
  'provider',
  'host',
  'port',
  'database',
  'username',
  'password',
  'uri',
  'jdbc-uri',
  'DATABASE_URL',
  'PGHOST',
  'PGPORT',
  'PGDATABASE',
  'PGUSER',
  'PGPASSWORD',
  'sslmode',
] as const;

export type ConnectionKey = (typeof CONNECTION_KEYS)[number];

/** The keys that another way to the server adds. */
export const uriKeys = (name: string): readonly [uri: string, jdbcUri: string] => [`${name}-uri`, `${name}-jdbc-uri`];

/** A template in pieces: text, and the names between `{{` and `}}` as they stand there. Every second piece is a name; undefined where a brace stays open. */
export function templateParts(template: string): readonly string[] | undefined {
  const parts: string[] = [];
  for (let at = 0; ;) {
    const open = template.indexOf('{{', at);
    const text = template.slice(at, open === -1 ? template.length : open);
    if (text.includes('}}')) return undefined;
    parts.push(text);
    if (open === -1) return parts;
    const close = template.indexOf('}}', open + 2);
    if (close === -1) return undefined;
    parts.push(template.slice(open + 2, close).trim());
    at = close + 2;
  }
}
