// The API with the reader's key. The key is kept in this tab's session storage: no cookie, so no other site can use it.

const KEPT = "hazecast.key";

/** What the API refuses: problem details (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {number} status 0 where no answer came
   * @param {string} detail
   * @param {{field: string, reason: string}[]} [errors]
   * @param {string | null} [wait] seconds until the next try
   * @param {boolean} [unknown] whether what was asked may have been done all the same: no answer of the API came
   */
  constructor(status, detail, errors = [], wait = null, unknown = false) {
    super(detail);
    this.status = status;
    this.detail = detail;
    this.errors = errors;
    this.wait = wait;
    this.unknown = unknown;
  }
}

export function key() {
  return sessionStorage.getItem(KEPT);
}

/** @param {string} text */
export function keep(text) {
  sessionStorage.setItem(KEPT, text);
}

export function forget() {
  sessionStorage.removeItem(KEPT);
}

/**
 * Ask the API.
 * @param {string} method
 * @param {string} path below /v1
 * @param {unknown} [body]
 * @returns {Promise<any>} the answer; null where it is empty
 */
export async function ask(method, path, body) {
  const asked = key();
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", Authorization: `Bearer ${asked}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  let text;
  try {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    answer = await fetch(`/v1${path}`, { method, headers, body: sent, cache: "no-store", credentials: "omit" });
    text = await answer.text();
  } catch {
    throw new Problem(0, "", [], null, method !== "GET");
  }
  const content = read(text);
  if (answer.ok) return content;
  const wait = answer.headers.get("Retry-After");
  // A failure that is told by something before the API says nothing of what the API did.
  const unknown = method !== "GET" && answer.status >= 500 && !content?.detail;
  throw new Problem(answer.status, content?.detail ?? answer.statusText, content?.errors ?? [], wait, unknown);
}

/** @param {string} text */
function read(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    // A proxy's page, not the API's answer.
    return null;
  }
}
