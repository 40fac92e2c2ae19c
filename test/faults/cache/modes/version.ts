/** Long enough to be cut, and different in each version from its beginning to its end. */
const itemOf = (version: number): string => `version ${version}, `.repeat(300);

/** Puts the next version of an order on the server, under a URL that no cache has stored. */
export async function publish(url: string, version: number): Promise<void> {
  const body = JSON.stringify({ item: itemOf(version) });
  const response = await fetch(url, { method: 'PUT', body });
  const text = await response.text();
  if (JSON.parse(text).version !== version)
    throw new Error(`version ${version} was put on the server, which says ${text}`);
}

/** @returns the version, if all its bytes and headers are right, or the fault. */
export function versionOf(body: string, headers: Headers): number | string {
  try {
    const { version, item } = JSON.parse(body);
    if (item === itemOf(version) && headers.get('etag') === `"1-v${version}"`) return version;
    return `mixed: ${headers.get('etag')} on ${body.slice(0, 100)}`;
  } catch {
    return `torn after ${body.length} characters`;
  }
}
