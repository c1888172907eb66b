"""Which targets may have a request: facts about targets, rules about requests, one verdict each."""
