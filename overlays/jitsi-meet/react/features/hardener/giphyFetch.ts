/*
 * hardener: takes the place of @giphy/js-fetch-api, which is left out of the bundle.
 */

/**
 * Finds nothing.
 */
export class GiphyFetch {
    /**
     * There are no pictures.
     *
     * @returns {Promise} Rejects always.
     */
    search() {
        return Promise.reject(new Error('Giphy is not part of this build.'));
    }

    /**
     * There are no pictures.
     *
     * @returns {Promise} Rejects always.
     */
    trending() {
        return this.search();
    }
}
