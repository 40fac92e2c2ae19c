/** The methods that read a response of `[1,2]` with the type `text/x`, and what they give. */
export const bodyReaders: [string, (response: Response) => Promise<unknown>, unknown][] = [
  ['text', (response) => response.text(), '[1,2]'],
  ['json', (response) => response.json(), [1, 2]],
  ['arrayBuffer', async (response) => new Uint8Array(await response.arrayBuffer()).length, 5],
  ['bytes', async (response) => (await response.bytes()).length, 5],
  ['blob', async (response) => (await response.blob()).type, 'text/x'],
];
