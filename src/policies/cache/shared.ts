import { type Call, type Home, PUBLIC } from '../../core/contract.ts';
import { originOf } from '../../core/origins.ts';
import { carriesCredentials } from '../../http/credentials.ts';
import { isShareable } from '../../http/storable.ts';
import type { Desk } from './desk.ts';

/** Whether a response in the partition of all users may be meant for one of them. */
export function isOfOneUser(
  { settings }: Desk,
  home: Home,
  request: Request,
  { headers, url }: Response,
  call: Call,
): boolean {
  if (call.partition !== PUBLIC) return false;
  const ignored = settings.shared === 'ignore-authorization' ? 'authorization' : undefined;
  const origins = [request.url, url].filter(Boolean).map(originOf);
  const isAuthorized =
    call.transport !== undefined ||
    [...request.headers.keys()].some(carriesCredentials) ||
    home.credentials(call.options).some((each) => origins.some((origin) => each.origins.includes(origin)));
  // Only browsers have cookies to include; elsewhere some engines say so of every request.
  const hasCookies =
    request.headers.has('cookie') || (request.credentials === 'include' && globalThis.location !== undefined);
  return !isShareable(headers, hasCookies || (isAuthorized && !ignored), ignored);
}
