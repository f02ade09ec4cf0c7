// Asks the shop. An answer is one of three kinds, and only the first two end anything:
//   {kind: "yes", told}            200, and JSON that says so
//   {kind: "no", error, message}   a final refusal, by the service itself
//   {kind: "unknown", why, wait}   anything else: nobody knows what happened; ask again after `wait` ms

export const OFFLINE = "offline", SLOW = "slow", BUSY = "busy";
const AGAIN = new Set([408, 425, 429]);
const SECONDS_MAX = 15;

export async function ask(method, path) {
  let reply, told;
  try {
    reply = await fetch(path, { method, signal: AbortSignal.timeout(SECONDS_MAX * 1000), cache: method === "POST" ? "no-store" : "default" });
    told = await reply.json();
  } catch (failure) {
    const why = navigator.onLine === false ? OFFLINE : failure.name === "TimeoutError" ? SLOW : "lost";
    return { kind: "unknown", why, wait: 0 };
  }
  if (reply.status === 200 && told?.success === true) return { kind: "yes", told };
  const { error = "", message = "" } = told ?? {};
  // Whoever stands in front of the service may refuse as well, but can't speak for it.
  const final = reply.status >= 400 && reply.status < 500 && !AGAIN.has(reply.status) && error;
  if (final) return { kind: "no", status: reply.status, error, message };
  const wait = Number(reply.headers.get("retry-after")) * 1000;
  return { kind: "unknown", why: error || BUSY, wait: wait > 0 ? wait : 0, status: reply.status };
}

/** How long to wait before the next try, ms: longer each time, at least what the shop asked for,
 *  and not all buyers at the same moment. */
export function pause(tries, wait) {
  const grown = Math.min(1000 * 2 ** Math.max(0, tries - 1), 16000);
  return Math.max(grown, wait) * (1 + Math.random() * 0.5);
}

/** Wait, but no longer than until the network is back. */
export function sleep(milliseconds) {
  return new Promise((resolve) => {
    const done = () => { clearTimeout(timer); removeEventListener("online", done); resolve(); };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
  });
}
