/*
 * hardener: the second engine for virtual backgrounds is left out: it loads its model from tfhub.dev. The first one, which
 * is the default, has its model on the own server.
 */
self.addEventListener('message', () => self.close());

export {};
