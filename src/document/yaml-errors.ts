// What the YAML parser complains about, in words for the author of a document.
import type { ErrorCode, YAMLError } from 'yaml';

/** Where the library's own words quote the document (a password may stand there by mistake) or do not say what to do. */
const IN_OTHER_WORDS: Partial<Record<ErrorCode, string>> = {
  TAG_RESOLVE_FAILED: 'this tag is not known here; remove it, and quote the value if it is text',
  BAD_COLLECTION_TYPE: 'this tag does not fit its value; remove it',
  TAB_AS_INDENT: 'tabs are not allowed as indentation; use spaces',
  MULTIPLE_DOCS: 'a second document starts here; keep one, without a line `---` between its parts',
  NON_STRING_KEY: 'a key must be a plain word or text in quotes',
  RESOURCE_EXHAUSTION: 'this is nested too deeply',
};

/** One sentence for an error or a warning of the parser. */
export function yamlMessage({ code, message }: YAMLError): string {
  const words = IN_OTHER_WORDS[code] ?? message.replace(/: ["'].*$/s, '').slice(0, 200);
  return `not valid YAML: ${words}; nothing of the document is used until this is corrected`;
}
