/** The status of a response, after its body was read; or the code of the error, or its name. */
export const statusOf = (response: Promise<Response>): Promise<number | string> =>
  response.then(
    async (response) => {
      await response.text();
      return response.status;
    },
    (error) => error.code ?? error.name,
  );

export const many = <T>(length: number, one: (nth: number) => T): T[] =>
  Array.from({ length }, (_, nth) => one(nth));
