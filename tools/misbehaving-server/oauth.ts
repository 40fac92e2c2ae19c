import { randomUUID } from 'node:crypto';
import { type Answer, json } from './answer.ts';
import type { Exchange } from './routes.ts';

/** The tokens of one sign-in. The second use of a refresh token ends all of them. */
interface Grant {
  readonly user: string;
  revoked: boolean;
}

interface Token {
  readonly grant: Grant;
  /** Of an access token: when it runs out. */
  readonly until?: number;
  /** Of a refresh token. */
  used?: boolean;
}

/** Counters of events. */
interface Counts {
  /** Refreshes that were asked for, and those that got tokens. */
  refreshes: number;
  refreshed: number;
  /** Refresh tokens that were used twice, and grants that were ended for it. */
  reused: number;
  revoked: number;
  clientCredentials: number;
  /** Requests for the resource. */
  accepted: number;
  refused: number;
}

interface Tenant {
  readonly access: Map<string, Token>;
  readonly refresh: Map<string, Token>;
  readonly counts: Counts;
}

const CLIENT = { id: 'app', secret: 'secret of app' };

export type OAuth = ReturnType<typeof createOAuth>;

/**
 * An authorization server with a resource that it guards (RFC 6749, RFC 6750). Refresh tokens rotate, and one that is
 * used twice revokes its grant (RFC 9700, 4.14.2). Each prefix is a tenant of its own.
 */
export function createOAuth() {
  const tenants = new Map<string, Tenant>();

  const tenantOf = (name: string): Tenant => {
    const found = tenants.get(name) ?? {
      access: new Map(),
      refresh: new Map(),
      counts: {
        refreshes: 0,
        refreshed: 0,
        reused: 0,
        revoked: 0,
        clientCredentials: 0,
        accepted: 0,
        refused: 0,
      },
    };
    tenants.set(name, found);
    return found;
  };

  return {
    answer(name: string, path: string, exchange: Exchange): Answer {
      const tenant = tenantOf(name);
      switch (path) {
        case '/login':
          return issued(
            tenant,
            { user: exchange.query.get('user') ?? 'ann', revoked: false },
            exchange.query,
          );
        case '/token':
          return token(tenant, exchange);
        case '/counts':
          return json(200, tenant.counts, NOT_STORED);
        default:
          return resource(tenant, exchange);
      }
    },
    clear: () => tenants.clear(),
  };
}

const NOT_STORED = { 'Cache-Control': 'no-store' };

/** RFC 6749, 5.1. `expiresIn` is what is said; `goodFor`, in ms, what is so. */
function issued(tenant: Tenant, grant: Grant, query: URLSearchParams, before?: string): Answer {
  const expiresIn = query.has('expiresIn') ? Number(query.get('expiresIn')) : 3600;
  const goodFor = query.has('goodFor') ? Number(query.get('goodFor')) : expiresIn * 1000;
  const accessToken = `access-${randomUUID()}`;
  const refreshToken = before ?? `refresh-${randomUUID()}`;
  tenant.access.set(accessToken, { grant, until: Date.now() + goodFor });
  tenant.refresh.set(refreshToken, { grant });
  return json(
    200,
    { access_token: accessToken, token_type: 'Bearer', expires_in: expiresIn, refresh_token: refreshToken },
    NOT_STORED,
  );
}

function token(tenant: Tenant, { method, body, headers, query }: Exchange): Answer {
  if (method !== 'POST') return refused(405, 'invalid_request');
  const asked = new URLSearchParams(body.toString());
  const { counts } = tenant;
  if (asked.get('grant_type') === 'client_credentials') {
    counts.clientCredentials++;
    if (!isClient(asked, headers.authorization)) return refused(401, 'invalid_client');
    return issued(tenant, { user: 'the client', revoked: false }, query);
  }
  if (asked.get('grant_type') !== 'refresh_token') return refused(400, 'unsupported_grant_type');
  counts.refreshes++;
  const given = asked.get('refresh_token') ?? '';
  const found = tenant.refresh.get(given);
  if (!found || found.grant.revoked) return refused(400, 'invalid_grant');
  if (found.used) {
    counts.reused++;
    counts.revoked++;
    found.grant.revoked = true;
    return refused(400, 'invalid_grant');
  }
  counts.refreshed++;
  if (query.get('rotate') === '0') return issued(tenant, found.grant, query, given);
  found.used = true;
  return issued(tenant, found.grant, query);
}

/** RFC 6749, 2.3.1: in the header, else in the body. */
function isClient(asked: URLSearchParams, authorization = ''): boolean {
  const [, basic] = /^Basic (.*)$/.exec(authorization) ?? [];
  if (basic === undefined)
    return asked.get('client_id') === CLIENT.id && asked.get('client_secret') === CLIENT.secret;
  const [id, secret] = Buffer.from(basic, 'base64').toString().split(':').map(formDecoded);
  return id === CLIENT.id && secret === CLIENT.secret;
}

const formDecoded = (text: string): string => new URLSearchParams(`x=${text}`).get('x') ?? '';

/** RFC 6749, 5.2. */
const refused = (status: number, error: string): Answer => json(status, { error }, NOT_STORED);

/** RFC 6750, 3. */
function resource({ access, counts }: Tenant, { headers, method, path }: Exchange): Answer {
  const [, bearer = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? [];
  const found = access.get(bearer);
  if (!found || found.grant.revoked || Date.now() >= (found.until ?? 0)) {
    counts.refused++;
    const challenge = bearer ? 'Bearer error="invalid_token"' : 'Bearer';
    return json(401, { error: 'invalid_token' }, { ...NOT_STORED, 'WWW-Authenticate': challenge });
  }
  counts.accepted++;
  return json(200, { user: found.grant.user, method, path }, NOT_STORED);
}
