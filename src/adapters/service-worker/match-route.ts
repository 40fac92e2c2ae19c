import { type Match, matches } from '../../primitives/url-match.ts';

/** The part of a request that decides about the route. */
type Asked = Pick<Request, 'url' | 'mode' | 'headers' | 'destination'>;

/**
 * Finds the route for a request of a page's own `fetch`; the last one that matches.
 *
 * Navigations, subresources (images, scripts, …), `no-cors` and ranges are left to the browser: it knows how to respond,
 * and a wrong response to them would go unnoticed.
 */
export function matchRoute<Route extends { readonly match: Match }>(
  { url, mode, headers, destination }: Asked,
  routes: readonly Route[],
): Route | undefined {
  if (destination !== '' || !['cors', 'same-origin'].includes(mode) || headers.has('range')) return undefined;
  return routes.findLast(({ match }) => matches(match, url));
}
