import { type Match, matches } from '../../core/match.ts';

/** What of a request decides whether it is answered: no more than that is read. */
type Asked = Pick<Request, 'url' | 'mode' | 'headers' | 'destination'>;

/**
 * Finds the route for a request of a page's own `fetch`; the last one that matches.
 *
 * Navigations, subresources (images, scripts, …), `no-cors` and ranges are the browser's: it knows how they have to be
 * answered, and nobody would see that they were not.
 */
export function routeFor<Route extends { readonly match: Match }>(
  { url, mode, headers, destination }: Asked,
  routes: readonly Route[],
): Route | undefined {
  if (destination !== '' || !['cors', 'same-origin'].includes(mode) || headers.has('range')) return undefined;
  return routes.findLast(({ match }) => matches(match, url));
}
