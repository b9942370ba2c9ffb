// Times of a city's clock in fields for dates, which know no zones.

const DAY_MS = 86_400_000;

/** Return a time as a field of type datetime-local has it. @param {string} time @param {string} zone */
export function toInput(time, zone) {
  return wall(new Date(time), zone);
}

/**
 * Return the time of a field in UTC; null where the field is empty or the clock never shows that time.
 * @param {string} text
 * @param {string} zone
 * @param {boolean} late which of two, where the clock is set back and shows a time twice
 */
export function toTime(text, zone, late) {
  const wanted = Date.parse(`${text}Z`);
  if (Number.isNaN(wanted)) return null;
  // The offsets a day before and after are all that a change of clocks leaves to choose from.
  const found = [-DAY_MS, DAY_MS].map((away) => wanted + wanted + away - Date.parse(`${wall(new Date(wanted + away), zone)}Z`))
    .filter((time) => wall(new Date(time), zone) === text.slice(0, 16));
  if (!found.length) return null;
  return new Date(late ? Math.max(...found) : Math.min(...found)).toISOString();
}

/** @param {Date} time @param {string} zone */
function wall(time, zone) {
  const parts = new Intl.DateTimeFormat("en-US", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone,
  }).formatToParts(time);
  const of = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${of.year}-${of.month}-${of.day}T${of.hour}:${of.minute}`;
}
