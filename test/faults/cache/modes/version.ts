/** Long enough to be cut, and different in each version from its beginning to its end. */
const itemOf = (version: number): string => `version ${version}, `.repeat(300);

/** Puts the next version of an order on the server, under a URL that no cache has a copy of. */
export async function publish(url: string, version: number): Promise<void> {
  const body = JSON.stringify({ item: itemOf(version) });
  const response = await fetch(url, { method: 'PUT', body });
  const answer = await response.text();
  if (JSON.parse(answer).version !== version)
    throw new Error(`version ${version} was put on the server, which says ${answer}`);
}

/** @returns the version that this is, to the last byte and with its own headers, or what is wrong with it. */
export function versionOf(body: string, headers: Headers): number | string {
  try {
    const { version, item } = JSON.parse(body);
    if (item === itemOf(version) && headers.get('etag') === `"1-v${version}"`) return version;
    return `mixed: ${headers.get('etag')} on ${body.slice(0, 100)}`;
  } catch {
    return `torn after ${body.length} characters`;
  }
}
