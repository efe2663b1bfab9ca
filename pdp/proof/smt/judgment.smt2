; Section 3 of policies/DOMAIN.md: stage 1 of all models, and stage 2 after it.

; ALL-1 The model knows the action on this type of resource. As long as the model cannot be known, any model's action will do.
(define-fun all-1 () Outcome
  (ite (and (= |kind| type-of-action)
         (ite (= model regional) regional-knows
         (ite (= model health_system) health-system-knows
         (ite (= model practice_group) practice-group-knows
         (ite (= model vendor) vendor-knows
           (or regional-knows health-system-knows practice-group-knows vendor-knows))))))
    passes |unknown_action ALL-1|))

; ALL-2 The subject is known and its account active.
(define-fun all-2 () Outcome
  (ite (not (= |who| known)) |unknown_subject ALL-2|
  (ite (= |subject status| deactivated) |subject_inactive ALL-2| passes)))

; ALL-3 The subject stands at a known location. It holds an active assignment there, or a role of its reaches down to it.
(define-fun all-3 () Outcome
  (ite needs-no-current-location passes
  (ite (= here |(none)|) |current_location_required ALL-3|
  (ite (not (known-location here)) |unknown_location ALL-3|
  (ite (holds-or-reaches here) passes |not_at_current_location ALL-3|)))))

; ALL-4 The place is known, and in the organization of the current location. It is waived for SYS-11. For SYS-8 it holds for each of
; the locations. In a practice group it is PRA-11. An unknown location is named first.
(define-fun named-locations () Locations
  (ite (and is-granting has-locations) (bvor listed (just there)) (just there)))
(define-fun all-4 () Outcome
  (ite (or is-founding (= action patient.view)) passes
  (ite (or (not (known-location there)) (and is-granting has-locations listed-unknown)) |unknown_location ALL-4|
  (ite (or needs-no-current-location (= (without named-locations (organization here)) nowhere)) passes
  (ite (= model practice_group) |other_organization PRA-11| |other_organization ALL-4|)))))

; ALL-5 The user asked about has an assignment in this organization, whatever its status; the exceptions are those of SYS-2, PRA-3,
; PRA-5 and PRA-6.
(define-fun all-5 () Outcome
  (ite (or (not (= |kind| user)) (= action invitation.accept) (= action invitation.reject) is-new) passes
  (ite (not (= action user.invite)) (ite (meets (assigned asked) (organization here)) passes |unknown_user ALL-5|)
  (ite (= model practice_group) (ite (= asked |(none)|) |unknown_user PRA-5| passes)
    (ite (and (not (= asked |(none)|)) (or (meets (assigned asked) (organization here)) (= (assigned asked) nowhere)))
      passes |unknown_user SYS-2|)))))

(declare-const stage-1 Outcome)
(assert (= stage-1 (then all-1 (then all-2 (then all-3 (then all-4 all-5))))))
(declare-const stage-2 Outcome)
(assert (= stage-2
  (ite (= model regional) regional-stage-2
  (ite (= model health_system) health-system-stage-2
  (ite (= model practice_group) practice-group-stage-2 vendor-stage-2)))))
(declare-const outcome Outcome)
(assert (= outcome (then stage-1 stage-2)))
