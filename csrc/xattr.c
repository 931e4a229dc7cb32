/* xattr: to come */
#include "farside.h"

void far_open_xattr(lua_State *L) {
  (void)L;
}
