/**
 * Type for analytics event objects.
 */
export interface IAnalyticsEvent {
    action?: string;
    actionSubject?: string;
    actionSubjectId?: string;
    attributes?: Record<string, unknown>;
    categories?: string[];
    containerId?: string;
    containerType?: string;
    name?: string;
    objectId?: string;
    objectType?: string;
    source?: string;
    tags?: string[];
    type: string;
}

/**
 * Type for analytics handler objects.
 */
export interface IAnalyticsHandler {
    dispose?: () => void;
    sendEvent: (event: IAnalyticsEvent) => void;
    setUserProperties: (properties: Record<string, unknown>) => void;
}

/**
 * hardener: upstream's adapter caches events (with room name, ids and user agent) until a handler is set, and
 * hands them all to any handler that comes. The interface stays; no event is kept, and no handler ever hears of one.
 */
class AnalyticsAdapter {
    /**
     * Drops properties.
     *
     * @param {Record<string, unknown>} _properties - The properties.
     * @returns {void}
     */
    public addPermanentProperties(_properties: Record<string, unknown>): void {
        // Nothing is kept.
    }

    /**
     * There is nothing to dispose of.
     *
     * @returns {void}
     */
    public dispose(): void {
        // No state.
    }

    /**
     * There is nothing to reset.
     *
     * @returns {void}
     */
    public reset(): void {
        // No state.
    }

    /**
     * Drops an event.
     *
     * @param {String|IAnalyticsEvent} _eventName - The name of the event, or an event object.
     * @param {Record<string, unknown>} _properties - The properties of the event.
     * @returns {void}
     */
    public sendEvent(_eventName: string | IAnalyticsEvent, _properties: Record<string, unknown> = {}): void {
        // There is no receiver.
    }

    /**
     * Takes no handlers.
     *
     * @param {IAnalyticsHandler[]} _handlers - The handlers.
     * @returns {void}
     */
    public setAnalyticsHandlers(_handlers: IAnalyticsHandler[]): void {
        // No handler is called.
    }

    /**
     * Drops the name of the conference.
     *
     * @param {string} _name - The name.
     * @returns {void}
     */
    public setConferenceName(_name: string): void {
        // Nothing is kept.
    }
}

export default new AnalyticsAdapter();
