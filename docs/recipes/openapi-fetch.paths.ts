/** Stands for what `npx openapi-typescript` makes of your API's description. */

export interface paths {
  '/orders': {
    get: {
      responses: {
        200: { content: { 'application/json': components['schemas']['Order'][] } };
      };
    };
  };
  '/orders/{id}': {
    put: {
      parameters: { path: { id: string } };
      requestBody: { content: { 'application/json': { item: string } } };
      responses: {
        201: { content: { 'application/json': components['schemas']['Order'] } };
        422: { content: { 'application/problem+json': { title: string } } };
      };
    };
  };
}

interface components {
  schemas: {
    Order: { id: string; item: string };
  };
}
