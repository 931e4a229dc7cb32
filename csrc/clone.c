/* clone: to come */
#include "farside.h"

void far_open_clone(lua_State *L) {
  (void)L;
}
