import { type Answer, empty, problem, text } from './answer.ts';
import type { Manner } from './script.ts';

const loginPage = `<!doctype html>
<html lang="en">
<title>Sign in to the network</title>
<form method="post"><label>Room number <input name="room"></label><button>Connect</button></form>
</html>
`;

/**
 * The answer that is given in place of the route's own, or `undefined` if the request may go through to it. With
 * `unknown` it always goes through, except without credentials: what is lost then is the answer, not the request.
 */
export function substitute(manner: Manner, authorization: string | undefined): Answer | undefined {
  const { redirect, redirectStatus = 302, portal, auth, status = 200, unknown } = manner;
  if (!unknown && redirect !== undefined) return empty(redirectStatus, { Location: redirect });
  if (!unknown && portal) return text(200, loginPage, { 'Content-Type': 'text/html; charset=utf-8' });
  if (auth && authorization !== 'Bearer good') {
    return problem(401, 'Sign in first', {}, { 'WWW-Authenticate': 'Bearer realm="misbehaving"' });
  }
  return unknown || status < 300 ? undefined : refusal(status);
}

export function refusal(status: number): Answer {
  return status === 304 ? empty(304) : problem(status, `Asked to answer ${status}`);
}

/** The route's own answer under another good status. Its refusals stay what they are. */
export function withStatus(answer: Answer, status: number | undefined): Answer {
  return status === undefined || answer.status >= 300 ? answer : { ...answer, status };
}
