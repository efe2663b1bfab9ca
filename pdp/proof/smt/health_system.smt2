; Section 5 of policies/DOMAIN.md: stage 2 of the model health_system, and of the vendor.
(define-fun is-founding () Bool (or (= action entity.create) (= action entity.associate) (= action entity.dissociate)))
(define-fun is-granting () Bool (or (= action admin.grant) (= action admin.revoke)))
(define-fun health-system-knows () Bool
  (or (= action user.list) (= action user.view) (= action user.edit) (= action user.reset_password) (= action user.invite)
      (= action assignment.remove) (= action location.switch) (= action user.view_locations) is-granting is-founding))
(define-fun vendor-knows () Bool is-founding)

; 5.2 An entity's administrator is whoever holds entity_admin there, or a role at the system that reaches down.
(define-fun at-system () Bool (= (kind-of here) system))
(declare-const is-administrator-here Bool)
(assert (= is-administrator-here
  (or (holds entity_admin here) (meets (bvand (bvor (holding entity_admin) (holding system_admin)) (of-kind system)) (path here)))))
(declare-const is-system-administrator Bool)
(assert (= is-system-administrator (holds system_admin (root-of here))))

; SYS-10 On plan free nobody stands at the system, nobody switches to it, and no account gets a second entity.
(declare-const sys-10 Outcome)
(assert (= sys-10
  (ite (and (= |plan| free)
         (or at-system
             (and (= action location.switch) (= (kind-of there) system))
             (and (= action user.invite) (not is-new) (= (kind-of there) entity)
                  (not (meets (assigned asked) (just there)))
                  (meets (bvand (assigned asked) (of-kind entity)) (organization here)))))
    |plan_required SYS-10| passes)))

; SYS-8 judges a grant or revoke for several entities, for all, of system_admin, and while standing at the system; SYS-7 the rest.
(declare-const is-sys-8 Bool)
(assert (= is-sys-8
  (or has-locations (= (kind-of there) system) (= |set role| system_admin) at-system)))

; Stage 2.3: the missing role.
(define-fun health-system-role () Outcome
  (ite (or (= action user.list) (= action user.view))
    (ite at-system (ite is-system-administrator passes |system_admin_required SYS-6|)             ; SYS-6
                   (ite is-administrator-here passes |not_permitted SYS-1|))                      ; SYS-1
  (ite (= action user.view_locations)
    (ite (and at-system is-system-administrator) passes |system_admin_required SYS-6|)            ; SYS-6
  (ite (or (= action user.edit) (= action user.reset_password))
    (ite is-administrator-here passes |not_permitted SYS-1|)                                      ; SYS-1
  (ite (= action user.invite) (ite is-administrator-here passes |not_permitted SYS-2|)            ; SYS-2
  (ite (= action assignment.remove) (ite is-administrator-here passes |not_permitted SYS-4|)      ; SYS-4
  (ite is-granting
    (ite is-sys-8 (ite is-system-administrator passes |system_admin_required SYS-8|)              ; SYS-8
                  (ite is-administrator-here passes |not_permitted SYS-7|))                       ; SYS-7
    |vendor_only SYS-11|)))))))                                                                   ; SYS-11

; Stage 2.4: the place. Standing at the system, what SYS-6 and SYS-8 do not name is done at an entity.
(define-fun health-system-place () Outcome
  (ite (or (= action user.list) (= action user.view)) (ite (or at-system (= there here)) passes |other_location SYS-1|)  ; SYS-1
  (ite (or (= action user.edit) (= action user.reset_password))
    (ite (and (not at-system) (= there here)) passes |other_location SYS-1|)                      ; SYS-1
  (ite (or (= action user.invite) (= action assignment.remove))
    (ite (and (not at-system) (= there here)) passes |other_location SYS-3|)                      ; SYS-3
  (ite is-granting
    (ite is-sys-8 (ite at-system passes |other_location SYS-8|)                                   ; SYS-8
                  (ite (= there here) passes |other_location SYS-7|))                             ; SYS-7
    passes)))))

(define-fun health-system-user () Outcome
  (ite (and (not at-system) (or (= action user.view) (= action user.edit) (= action user.reset_password))
            (not (meets (assigned asked) (just here))))
    |not_assigned_here SYS-1| passes))                                                            ; SYS-1

; SYS-5 To an entity with an active assignment, or that a role reaches down to; to the system a system_admin alone.
(define-fun sys-5 () Outcome
  (ite (= (kind-of there) system)
    (ite (holds system_admin there) passes (ite (meets held (just there)) |system_admin_required SYS-5| |not_assigned SYS-5|))
    (ite (holds-or-reaches there) passes |not_assigned SYS-5|)))

(declare-const health-system-stage-2 Outcome)
(assert (= health-system-stage-2
  (then sys-10
    (ite (= action location.switch) sys-5
      (then all-9 (then health-system-role (then health-system-place health-system-user)))))))

; SYS-11 The vendor's staff alone, standing at the vendor.
(declare-const vendor-stage-2 Outcome)
(assert (= vendor-stage-2 (ite (holds vendor_staff here) passes |vendor_only SYS-11|)))
