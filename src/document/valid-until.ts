// The end of a password's validity: ISO 8601 text → one spelling in UTC.

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?: ?(?:(Z)|([+-])(\d{2})(?::?(\d{2}))?))?)?$/;

/**
 * The moment as UTC with milliseconds (finer digits are cut). Text without a zone, and a bare date, are UTC.
 * @returns null for `infinity`, undefined for what is no such moment.
 */
export function readValidUntil(text: string): string | null | undefined {
  if (text === 'infinity') return null;
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00', fraction = '', , sign, zoneHour = '0', zoneMinute = '0'] = match;
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
  const time = Date.parse(local);
  // Date.parse rolls 30 February over to March, and 24:00 to the next day.
  if (Number.isNaN(time) || new Date(time).toISOString() !== local) return undefined;
  if (Number(zoneHour) > 15 || Number(zoneMinute) > 59) return undefined;
  const shift = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000;
  const moment = new Date(time - (sign === '-' ? -shift : shift)).toISOString();
  return /^(?!0000)\d{4}-/.test(moment) ? moment : undefined;
}
