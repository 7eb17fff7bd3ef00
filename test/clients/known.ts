// What drivers are known to read otherwise than the server; everything else works. docs/credentials.md says it in words.

/** Way → what the cases are about that cannot log in, or are not given back. */
export const KNOWN: Readonly<Record<string, readonly string[]>> = {
  // It never refuses: where the server takes the password as it is, because something in it is prohibited or came after Unicode 3.2, it normalises all the same.
  'node-postgres': [
    'emoji with a variation selector',
    'an emoji of several, with joiners',
    'nothing but a soft hyphen',
    'nothing but what SASLprep leaves out',
    'prohibited: an ASCII control character beside what NFKC replaces',
    'prohibited, with a normal form that is not',
    'prohibited, with a soft hyphen beside it',
    'unassigned in Unicode 3.2',
    'unassigned in Unicode 3.2, with a normal form that is not',
    'random Unicode 48',
    'random Unicode 49',
  ],
  // It does not decode them in the path of a URI.
  'the path of node-postgres': ['the database "sl/ash"', 'the database "ques?tion"', 'the database "ha#sh"'],
  // It keeps to the RFC: it looks for what is refused in the normal form, leaves U+200B out, and fails where nothing is left.
  pgjdbc: [
    'nothing but a soft hyphen',
    'nothing but what SASLprep leaves out',
    'zero width',
    'prohibited, with a normal form that is not',
    'unassigned in Unicode 3.2, with a normal form that is not',
    'left to right in its normal form only',
  ],
  // It has OpaqueString of RFC 8265 instead of SASLprep: NFC in place of NFKC, and nothing is left out.
  pgx: [
    'what NFKC replaces',
    'beyond the first plane',
    'a soft hyphen',
    'zero width',
    'a byte order mark at the beginning',
    'variation selectors',
    'prohibited, with a normal form that is not',
    'left to right in its normal form only',
  ],
};
