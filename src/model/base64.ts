// Base64 as Kubernetes has it.

/** Base64 as Kubernetes takes it; undefined where it is none. */
export function decodeBase64(text: string): Buffer | undefined {
  const clean = text.replace(/\s/g, '');
  const decoded = Buffer.from(clean, 'base64');
  return decoded.toString('base64') === clean ? decoded : undefined;
}

/** The bytes under a key of a map of base64 texts: undefined where there is none, null where it is no base64. */
export function bytesAt(map: Readonly<Record<string, unknown>>, key: string): Buffer | null | undefined {
  const value = Object.hasOwn(map, key) ? map[key] : undefined;
  if (value === undefined) return undefined;
  return typeof value === 'string' ? (decodeBase64(value) ?? null) : null;
}
