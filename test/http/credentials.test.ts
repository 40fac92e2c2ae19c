import { describe, expect, test } from 'vitest';
import { CREDENTIALS, carriesCredentials } from '../../src/http/credentials.ts';

describe('carriesCredentials', () => {
  test.each([
    ...CREDENTIALS,
    'Set-Cookie',
    'Set-Cookie2',
    'Authentication-Info',
    'Proxy-Authentication-Info',
    'WWW-Authenticate',
    'X-Auth',
    'X-Auth-Token',
    'X-Auth-Key',
    'X-Api-Key',
    'apikey',
    'X-Functions-Key',
    'Ocp-Apim-Subscription-Key',
    'X-Amz-Security-Token',
    'X-Amz-Signature',
    'X-CSRF-Token',
    'X-Session-Id',
    'X-OTP',
    'X-Auth-Tokens',
    'X-Session-Tokens',
    'Authorization-Sync-Token',
    'X-Auth-RateLimit',
    'X-Parse-Master-Key',
    'X-Client-Key',
    'X-Pin',
    'X-Hmac',
    'Sid',
  ])('%s does', (name) => {
    expect(carriesCredentials(name)).toBe(true);
  });

  test.each([
    'ETag',
    'Date',
    'Link',
    'Vary',
    'X-Author',
    'Content-Type',
    'Idempotency-Key',
    'Surrogate-Key',
    'X-Ms-Continuation-Token',
    'X-Next-Page-Token',
    'X-RateLimit-Remaining-Tokens',
    'X-Prompt-Tokens',
    'X-Total-Tokens',
    'OpenAI-Tokens-Used',
    'X-Pinned',
    'X-Side',
  ])('%s does not', (name) => {
    expect(carriesCredentials(name)).toBe(false);
  });
});
