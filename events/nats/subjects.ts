/** What the stream keeps, as NATS has its patterns. */
export const streamSubjects = ["backups.>", "mapshot.>"];
