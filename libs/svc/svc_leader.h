/*
 * svc_leader - leadership over a KV key with a TTL; the revision at acquisition is the epoch.
 *
 * Nothing rests on its being exclusive (slots are CASed by the server, the grant log refuses a deposed
 * writer): it only keeps two from working at the same.  Renewed at a third of the TTL with the TTL said
 * again (a plain update drops it); a leader that could not renew for two thirds of the TTL on its own
 * boot clock steps down by itself.  A campaign expects the expiry marker's sequence.
 */
#ifndef SVC_SVC_LEADER_H
#define SVC_SVC_LEADER_H

#include <stdbool.h>
#include <stdint.h>

struct svc;
struct svc_leader;

/* Called on the loop, never from within svc_leader_new.  lost follows each won, also by a resignation, but
   svc_leader_free calls nobody. */
struct svc_leader_events {
    void (*won)(void *self, uint64_t epoch);
    void (*lost)(void *self, const char *why);
    void *self;
};

/* key: a name (str_is_name) with dots allowed, at most 64 characters; ttl_ms at least 1000, and taken as 15 s
   at least where streams have replicas: an election of the server may last longer than less.  Campaigns from when
   the service is ready. */
struct svc_leader *svc_leader_new(struct svc *svc, const char *key, uint64_t ttl_ms,
                                  const struct svc_leader_events *on);
/* Resigns, as a drain does: the key is deleted if it is ours, and a standby takes over at once. */
void svc_leader_free(struct svc_leader **leader);
/* By the boot clock: false from two thirds of the TTL after the last confirmed renewal was sent,
   though `lost` may come a turn later (a process that was stopped and continued). */
bool svc_leader_is(const struct svc_leader *leader);
uint64_t svc_leader_epoch(const struct svc_leader *leader); /* 0: not the leader */
/* The owner learned from elsewhere that it is deposed (a refused append): step down now. */
void svc_leader_deposed(struct svc_leader *leader, const char *why);

#endif
