// Times of a city's clock in fields for dates, which know no zones.

/** Return a time as a field of type datetime-local has it. @param {string} time @param {string} zone */
export function toInput(time, zone) {
  return wall(new Date(time), zone);
}

/** Return the time of a field in UTC; null where the field is empty. @param {string} text @param {string} zone */
export function toTime(text, zone) {
  if (!text) return null;
  const wanted = Date.parse(`${text}Z`);
  // The clock of the zone at about that time, twice: the first guess may stand on the other side of a change of clocks.
  let found = wanted;
  for (let turn = 0; turn < 2; turn++) found += wanted - Date.parse(`${wall(new Date(found), zone)}Z`);
  return new Date(found).toISOString();
}

/** @param {Date} time @param {string} zone */
function wall(time, zone) {
  const parts = new Intl.DateTimeFormat("en-US", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone,
  }).formatToParts(time);
  const of = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${of.year}-${of.month}-${of.day}T${of.hour}:${of.minute}`;
}
