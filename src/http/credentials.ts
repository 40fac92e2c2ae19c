/** Headers that prove who sends (Fetch, "HTTP-redirect fetch"): they go to nobody else, and to no disk. */
export const CREDENTIALS: readonly string[] = ['authorization', 'proxy-authorization', 'cookie'];
